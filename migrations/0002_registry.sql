-- The registry of leaked keys: what was reported, what is restricted, who was told, who did what.

CREATE TABLE operators (
    operator_id text CONSTRAINT operators_pkey PRIMARY KEY,
    name text NOT NULL CONSTRAINT operators_name_key UNIQUE,
    role text NOT NULL CONSTRAINT operators_role_check CHECK (role IN ('viewer', 'operator')),
    token_sha256 bytea NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
COMMENT ON TABLE operators IS 'Who may use the admin API.';
COMMENT ON COLUMN operators.operator_id IS 'The public part of the token.';
COMMENT ON COLUMN operators.name IS 'How the audit names them.';
COMMENT ON COLUMN operators.role IS 'viewer reads; operator also reports, confirms and lifts.';
COMMENT ON COLUMN operators.token_sha256 IS 'SHA-256 of the whole token, which is shown once and never stored.';
COMMENT ON COLUMN operators.created_at IS 'When they were added.';
COMMENT ON COLUMN operators.revoked_at IS 'Since when the token is worth nothing.';

CREATE TABLE restrictions (
    restriction_id uuid CONSTRAINT restrictions_pkey PRIMARY KEY,
    access_key_id text NOT NULL,
    state text NOT NULL CONSTRAINT restrictions_state_check CHECK (state IN ('Imposed', 'Remediated', 'Lifted')),
    cause text NOT NULL CONSTRAINT restrictions_cause_check CHECK (cause IN ('Reported', 'Reactivated')),
    imposed_at timestamptz NOT NULL,
    remediated_at timestamptz,
    confirmed_by text,
    ticket text,
    lifted_at timestamptz,
    lifted_by text,
    lift_reason text,
    lifted_revision bigint,
    tombstone boolean NOT NULL DEFAULT false,
    revision bigint NOT NULL,
    CONSTRAINT restrictions_lift_check CHECK ((state = 'Lifted') = (lifted_at IS NOT NULL AND lifted_by IS NOT NULL AND lift_reason IS NOT NULL AND lifted_revision IS NOT NULL)),
    CONSTRAINT restrictions_confirmation_check CHECK (state = 'Imposed' OR (remediated_at IS NOT NULL AND confirmed_by IS NOT NULL)),
    CONSTRAINT restrictions_tombstone_check CHECK (NOT tombstone OR state = 'Lifted')
);
CREATE UNIQUE INDEX restrictions_in_force_key ON restrictions (access_key_id) WHERE state <> 'Lifted';
CREATE INDEX restrictions_key_idx ON restrictions (access_key_id);
CREATE INDEX restrictions_revision_idx ON restrictions (revision);
COMMENT ON TABLE restrictions IS 'Restrictive protection of a leaked AccessKey: at most one in force per key.';
COMMENT ON COLUMN restrictions.restriction_id IS 'UUID version 7.';
COMMENT ON COLUMN restrictions.access_key_id IS 'The key, known to the directory or not; the restriction outlives it.';
COMMENT ON COLUMN restrictions.state IS 'Imposed, Remediated (the owner says so), Lifted.';
COMMENT ON COLUMN restrictions.cause IS 'Reported: a leak report. Reactivated: a lifted pair came back.';
COMMENT ON COLUMN restrictions.imposed_at IS 'Since when it is in force.';
COMMENT ON COLUMN restrictions.remediated_at IS 'When the clean-up was confirmed.';
COMMENT ON COLUMN restrictions.confirmed_by IS 'Who confirmed: contact:ID or operator:NAME.';
COMMENT ON COLUMN restrictions.ticket IS 'Ticket number, where an operator recorded the confirmation.';
COMMENT ON COLUMN restrictions.lifted_at IS 'When it ended.';
COMMENT ON COLUMN restrictions.lifted_by IS 'Operator who lifted it.';
COMMENT ON COLUMN restrictions.lift_reason IS 'Why, in the operator''s words.';
COMMENT ON COLUMN restrictions.lifted_revision IS 'Sessions asked for before this revision stay restricted.';
COMMENT ON COLUMN restrictions.tombstone IS 'The pair was not active when it was lifted: should it come back, it is restricted again.';
COMMENT ON COLUMN restrictions.revision IS 'Revision of its last change.';

CREATE TABLE leak_reports (
    report_id uuid CONSTRAINT leak_reports_pkey PRIMARY KEY,
    source text NOT NULL,
    reference text NOT NULL,
    access_key_id text NOT NULL,
    restriction_id uuid NOT NULL CONSTRAINT leak_reports_restriction_fkey REFERENCES restrictions,
    url text,
    first_seen timestamptz,
    secret_digest bytea,
    secret_matches boolean,
    reported_at timestamptz NOT NULL,
    reported_by text NOT NULL,
    CONSTRAINT leak_reports_reference_key UNIQUE (source, reference)
);
CREATE INDEX leak_reports_restriction_idx ON leak_reports (restriction_id);
COMMENT ON TABLE leak_reports IS 'What sources told, each once by the source''s own reference.';
COMMENT ON COLUMN leak_reports.report_id IS 'UUID version 7.';
COMMENT ON COLUMN leak_reports.source IS 'Who found it: github, operator, …';
COMMENT ON COLUMN leak_reports.reference IS 'The source''s own id of the finding.';
COMMENT ON COLUMN leak_reports.access_key_id IS 'The key that was found.';
COMMENT ON COLUMN leak_reports.restriction_id IS 'The restriction that it led to, or joined.';
COMMENT ON COLUMN leak_reports.url IS 'Where it was found.';
COMMENT ON COLUMN leak_reports.first_seen IS 'When the source first saw it.';
COMMENT ON COLUMN leak_reports.secret_digest IS 'Keyed digest of the leaked secret, which itself is never stored.';
COMMENT ON COLUMN leak_reports.secret_matches IS 'Whether that secret is the key''s; null where either is unknown.';
COMMENT ON COLUMN leak_reports.reported_at IS 'When it reached us.';
COMMENT ON COLUMN leak_reports.reported_by IS 'Operator or source that delivered it.';

CREATE TABLE letters (
    letter_id uuid CONSTRAINT letters_pkey PRIMARY KEY,
    restriction_id uuid NOT NULL CONSTRAINT letters_restriction_fkey REFERENCES restrictions,
    contact_id uuid NOT NULL CONSTRAINT letters_contact_fkey REFERENCES contacts,
    kind text NOT NULL CONSTRAINT letters_kind_check CHECK (kind IN ('Imposed', 'Confirmed', 'Lifted')),
    state text NOT NULL CONSTRAINT letters_state_check CHECK (state IN ('Due', 'Sent', 'Buried')),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    last_error text,
    created_at timestamptz NOT NULL,
    settled_at timestamptz
);
CREATE INDEX letters_due_idx ON letters (due_at) WHERE state = 'Due';
CREATE INDEX letters_restriction_idx ON letters (restriction_id);
COMMENT ON TABLE letters IS 'The outbox: written in the transaction of what it tells, sent at least once.';
COMMENT ON COLUMN letters.letter_id IS 'UUID version 7; its Message-ID on every attempt.';
COMMENT ON COLUMN letters.restriction_id IS 'What it is about.';
COMMENT ON COLUMN letters.contact_id IS 'Who is written to.';
COMMENT ON COLUMN letters.kind IS 'What it tells: Imposed, Confirmed, Lifted.';
COMMENT ON COLUMN letters.state IS 'Due, Sent, or Buried: given up, for a person to see to.';
COMMENT ON COLUMN letters.attempts IS 'How often it was tried.';
COMMENT ON COLUMN letters.due_at IS 'When to try next; a worker that takes it moves this ahead, which is its lease.';
COMMENT ON COLUMN letters.last_error IS 'What the last attempt met.';
COMMENT ON COLUMN letters.created_at IS 'When it was enqueued.';
COMMENT ON COLUMN letters.settled_at IS 'When it was sent or buried.';

CREATE TABLE confirmation_links (
    token_sha256 bytea CONSTRAINT confirmation_links_pkey PRIMARY KEY,
    restriction_id uuid NOT NULL CONSTRAINT confirmation_links_restriction_fkey REFERENCES restrictions,
    contact_id uuid NOT NULL CONSTRAINT confirmation_links_contact_fkey REFERENCES contacts,
    generation integer NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT confirmation_links_generation_key UNIQUE (restriction_id, contact_id, generation)
);
COMMENT ON TABLE confirmation_links IS 'Links in letters, each for one contact, usable once.';
COMMENT ON COLUMN confirmation_links.token_sha256 IS 'SHA-256 of the token; the token is derived when the letter is sent and stored nowhere.';
COMMENT ON COLUMN confirmation_links.restriction_id IS 'What it confirms.';
COMMENT ON COLUMN confirmation_links.contact_id IS 'Whose it is.';
COMMENT ON COLUMN confirmation_links.generation IS 'Counts the links of one contact for one restriction, from 1.';
COMMENT ON COLUMN confirmation_links.expires_at IS 'Until when it works.';
COMMENT ON COLUMN confirmation_links.used_at IS 'When it was used.';

CREATE TABLE audit_records (
    audit_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_records_pkey PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    access_key_id text,
    restriction_id uuid,
    detail jsonb NOT NULL
);
CREATE INDEX audit_records_restriction_idx ON audit_records (restriction_id);
COMMENT ON TABLE audit_records IS 'Who did what: written in the transaction of the deed, never changed.';
COMMENT ON COLUMN audit_records.audit_id IS 'In the order of writing.';
COMMENT ON COLUMN audit_records.at IS 'When.';
COMMENT ON COLUMN audit_records.actor IS 'operator:NAME, contact:ID or akgate itself.';
COMMENT ON COLUMN audit_records.action IS 'What was done.';
COMMENT ON COLUMN audit_records.access_key_id IS 'The key concerned.';
COMMENT ON COLUMN audit_records.restriction_id IS 'The restriction concerned.';
COMMENT ON COLUMN audit_records.detail IS 'What else is worth knowing; never a secret.';
