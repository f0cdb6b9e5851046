-- The outbox: letters to owners, tasks for operators, events for other programs.

CREATE TABLE letters (
    letter_id uuid CONSTRAINT letters_pkey PRIMARY KEY,
    kind text NOT NULL,
    restriction_id uuid CONSTRAINT letters_restriction_fkey REFERENCES restrictions,
    access_key_id text,
    contact_id uuid NOT NULL CONSTRAINT letters_contact_fkey REFERENCES contacts,
    state text NOT NULL CONSTRAINT letters_state_check CHECK (state IN ('Due', 'Sent', 'Failed')),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    last_error text,
    created_at timestamptz NOT NULL,
    settled_at timestamptz,
    CONSTRAINT letters_kind_check CHECK (
        kind IN ('Announced', 'Imposed', 'Repeated', 'Reminder', 'Widened', 'Confirmed', 'Withdrawn', 'Lifted', 'Suspected', 'Descendants')
    ),
    CONSTRAINT letters_about_check CHECK ((restriction_id IS NULL) = (kind = 'Suspected') AND (access_key_id IS NULL) <> (kind = 'Suspected'))
);
CREATE INDEX letters_due_idx ON letters (due_at) WHERE state = 'Due';
CREATE INDEX letters_restriction_idx ON letters (restriction_id);
CREATE UNIQUE INDEX letters_repeated_key ON letters (restriction_id, contact_id) WHERE kind = 'Repeated' AND state = 'Due';
CREATE UNIQUE INDEX letters_descendants_key ON letters (restriction_id, contact_id) WHERE kind = 'Descendants' AND state = 'Due';
CREATE INDEX letters_suspected_idx ON letters (access_key_id, contact_id) WHERE kind = 'Suspected';
COMMENT ON TABLE letters IS 'The outbox: written in the transaction of what it tells, sent at least once.';
COMMENT ON COLUMN letters.letter_id IS 'UUID version 7; its Message-ID on every attempt.';
COMMENT ON COLUMN letters.kind IS 'What it tells: Announced (before enforce_from), Imposed, Repeated (seen again), Reminder, Widened, Confirmed, Withdrawn, Lifted; Suspected (the id alone was seen: nothing is restricted); Descendants (what the key made is restricted).';
COMMENT ON COLUMN letters.restriction_id IS 'The restriction that it is about; null of a suspicion.';
COMMENT ON COLUMN letters.access_key_id IS 'The key that is suspected to have leaked; null of a letter about a restriction.';
COMMENT ON COLUMN letters.contact_id IS 'Who is written to.';
COMMENT ON COLUMN letters.state IS 'Due, Sent, or Failed: akgate no longer tries, and an operator decides.';
COMMENT ON COLUMN letters.attempts IS 'How often it was tried.';
COMMENT ON COLUMN letters.due_at IS 'When to try next; a worker that takes it moves this ahead, which is its lease.';
COMMENT ON COLUMN letters.last_error IS 'What the last attempt met.';
COMMENT ON COLUMN letters.created_at IS 'When it was enqueued.';
COMMENT ON COLUMN letters.settled_at IS 'When it was sent or failed.';

CREATE TABLE operator_tasks (
    task_id uuid CONSTRAINT operator_tasks_pkey PRIMARY KEY,
    kind text NOT NULL
        CONSTRAINT operator_tasks_kind_check CHECK (kind IN ('Unreachable', 'DisableKey', 'Disputed', 'SourcePaused')),
    restriction_id uuid CONSTRAINT operator_tasks_restriction_fkey REFERENCES restrictions,
    source text CONSTRAINT operator_tasks_source_fkey REFERENCES sources,
    created_at timestamptz NOT NULL,
    closed_at timestamptz,
    closed_by text,
    remark text,
    CONSTRAINT operator_tasks_about_check CHECK ((restriction_id IS NULL) <> (source IS NULL))
);
CREATE UNIQUE INDEX operator_tasks_open_key ON operator_tasks (restriction_id, kind) WHERE closed_at IS NULL;
CREATE UNIQUE INDEX operator_tasks_source_key ON operator_tasks (source, kind) WHERE closed_at IS NULL;
COMMENT ON TABLE operator_tasks IS 'What an operator has to see to.';
COMMENT ON COLUMN operator_tasks.task_id IS 'UUID version 7.';
COMMENT ON COLUMN operator_tasks.kind IS 'Unreachable: no letter reaches the owner. DisableKey: the key still works after the whole ladder. Disputed: a contact took a confirmation back after the lift. SourcePaused: a source has told too many suspicions.';
COMMENT ON COLUMN operator_tasks.restriction_id IS 'The restriction that it is about; null where it is about a source.';
COMMENT ON COLUMN operator_tasks.source IS 'The source of leak reports that it is about; null where it is about a restriction.';
COMMENT ON COLUMN operator_tasks.created_at IS 'When it came up.';
COMMENT ON COLUMN operator_tasks.closed_at IS 'When it was closed.';
COMMENT ON COLUMN operator_tasks.closed_by IS 'operator:NAME.';
COMMENT ON COLUMN operator_tasks.remark IS 'What was done, in their words.';

CREATE TABLE event_hooks (
    hook text CONSTRAINT event_hooks_pkey PRIMARY KEY,
    kinds text[] NOT NULL,
    registered_at timestamptz NOT NULL
);
COMMENT ON TABLE event_hooks IS 'Whom events are sent to, as the workers are configured: an audit record enqueues for these.';
COMMENT ON COLUMN event_hooks.hook IS 'The name in the configuration.';
COMMENT ON COLUMN event_hooks.kinds IS 'Of which kinds.';
COMMENT ON COLUMN event_hooks.registered_at IS 'When a worker last said so.';

CREATE TABLE event_deliveries (
    audit_id bigint NOT NULL CONSTRAINT event_deliveries_audit_fkey REFERENCES audit_records,
    hook text NOT NULL,
    kind text NOT NULL
        CONSTRAINT event_deliveries_kind_check CHECK (kind IN ('imposed', 'widened', 'confirmed', 'withdrawn', 'lifted', 'suspected')),
    state text NOT NULL DEFAULT 'Due'::text
        CONSTRAINT event_deliveries_state_check CHECK (state IN ('Due', 'Sent', 'Failed')),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    last_error text,
    settled_at timestamptz,
    CONSTRAINT event_deliveries_pkey PRIMARY KEY (audit_id, hook)
);
CREATE INDEX event_deliveries_due_idx ON event_deliveries (due_at) WHERE state = 'Due';
COMMENT ON TABLE event_deliveries IS 'The outbox of events: written in the transaction of the change, sent at least once.';
COMMENT ON COLUMN event_deliveries.audit_id IS 'What it tells; the event''s id for whoever gets it.';
COMMENT ON COLUMN event_deliveries.hook IS 'Whom it is for: the name in the configuration.';
COMMENT ON COLUMN event_deliveries.kind IS 'What kind of event it is.';
COMMENT ON COLUMN event_deliveries.state IS 'Due, Sent, or Failed: akgate no longer tries, and an operator decides.';
COMMENT ON COLUMN event_deliveries.attempts IS 'How often it was tried.';
COMMENT ON COLUMN event_deliveries.due_at IS 'When to try next; a worker that takes it moves this ahead, which is its lease.';
COMMENT ON COLUMN event_deliveries.last_error IS 'What the last attempt met.';
COMMENT ON COLUMN event_deliveries.settled_at IS 'When it was sent or failed.';
