-- Events for other programs: what the audit tells, sent to hooks.

CREATE TABLE event_hooks (
    hook text CONSTRAINT event_hooks_pkey PRIMARY KEY,
    kinds text[] NOT NULL,
    registered_at timestamptz NOT NULL
);
COMMENT ON TABLE event_hooks IS 'Whom events are sent to, as the workers are configured: a deed enqueues for these.';
COMMENT ON COLUMN event_hooks.hook IS 'The name in the configuration.';
COMMENT ON COLUMN event_hooks.kinds IS 'Of which kinds.';
COMMENT ON COLUMN event_hooks.registered_at IS 'When a worker last said so.';

CREATE TABLE event_deliveries (
    audit_id bigint NOT NULL CONSTRAINT event_deliveries_audit_fkey REFERENCES audit_records,
    hook text NOT NULL,
    kind text NOT NULL CONSTRAINT event_deliveries_kind_check CHECK (kind IN ('imposed', 'widened', 'confirmed', 'withdrawn', 'lifted', 'suspected')),
    state text NOT NULL DEFAULT 'Due' CONSTRAINT event_deliveries_state_check CHECK (state IN ('Due', 'Sent', 'Buried')),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    last_error text,
    settled_at timestamptz,
    CONSTRAINT event_deliveries_pkey PRIMARY KEY (audit_id, hook)
);
CREATE INDEX event_deliveries_due_idx ON event_deliveries (due_at) WHERE state = 'Due';
COMMENT ON TABLE event_deliveries IS 'The outbox of events: written in the transaction of the deed, sent at least once.';
COMMENT ON COLUMN event_deliveries.audit_id IS 'What it tells; the event''s id for whoever gets it.';
COMMENT ON COLUMN event_deliveries.hook IS 'Whom it is for: the name in the configuration.';
COMMENT ON COLUMN event_deliveries.kind IS 'What kind of event it is.';
COMMENT ON COLUMN event_deliveries.state IS 'Due, Sent, or Buried: given up, for a person to see to.';
COMMENT ON COLUMN event_deliveries.attempts IS 'How often it was tried.';
COMMENT ON COLUMN event_deliveries.due_at IS 'When to try next; a worker that takes it moves this ahead, which is its lease.';
COMMENT ON COLUMN event_deliveries.last_error IS 'What the last attempt met.';
COMMENT ON COLUMN event_deliveries.settled_at IS 'When it was sent or buried.';
