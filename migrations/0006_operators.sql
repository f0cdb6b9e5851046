-- Operators: tokens, approvals, idempotency keys, the audit.

CREATE TABLE operators (
    operator_id text CONSTRAINT operators_pkey PRIMARY KEY,
    name text NOT NULL CONSTRAINT operators_name_key UNIQUE,
    role text NOT NULL
        CONSTRAINT operators_role_check CHECK (role IN ('service', 'viewer', 'operator', 'approver', 'admin')),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_by text
);
COMMENT ON TABLE operators IS 'Who may use the admin API.';
COMMENT ON COLUMN operators.operator_id IS 'Of the first token; stays when tokens change.';
COMMENT ON COLUMN operators.name IS 'How the audit names them.';
COMMENT ON COLUMN operators.role IS 'service reads notices and reports bounces; viewer reads; operator also acts; approver also decides what needs two people; admin also manages operators.';
COMMENT ON COLUMN operators.created_at IS 'When they were added.';
COMMENT ON COLUMN operators.revoked_at IS 'Since when the token is worth nothing.';
COMMENT ON COLUMN operators.revoked_by IS 'operator:NAME, or akgate at the command line.';

CREATE TABLE operator_tokens (
    token_id text CONSTRAINT operator_tokens_pkey PRIMARY KEY,
    operator_id text NOT NULL CONSTRAINT operator_tokens_operator_fkey REFERENCES operators,
    role text NOT NULL
        CONSTRAINT operator_tokens_role_check CHECK (role IN ('service', 'viewer', 'operator', 'approver', 'admin')),
    token_sha256 bytea NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_by text,
    last_used_at timestamptz,
    last_used_from text
);
CREATE INDEX operator_tokens_operator_idx ON operator_tokens (operator_id);
COMMENT ON TABLE operator_tokens IS 'Tokens of operators.';
COMMENT ON COLUMN operator_tokens.token_id IS 'The part of the token that names it.';
COMMENT ON COLUMN operator_tokens.operator_id IS 'Whose it is.';
COMMENT ON COLUMN operator_tokens.role IS 'What it may do at most, whatever its operator may.';
COMMENT ON COLUMN operator_tokens.token_sha256 IS 'SHA-256 of the whole token, which is shown once and kept nowhere.';
COMMENT ON COLUMN operator_tokens.created_at IS 'When it was created.';
COMMENT ON COLUMN operator_tokens.created_by IS 'operator:NAME, or akgate at the command line.';
COMMENT ON COLUMN operator_tokens.expires_at IS 'From when on it is worth nothing.';
COMMENT ON COLUMN operator_tokens.revoked_at IS 'Since when it is worth nothing.';
COMMENT ON COLUMN operator_tokens.revoked_by IS 'operator:NAME, or akgate at the command line.';
COMMENT ON COLUMN operator_tokens.last_used_at IS 'When it was last good, to the minute.';
COMMENT ON COLUMN operator_tokens.last_used_from IS 'From which address.';

CREATE TABLE token_sources (
    token_id text NOT NULL CONSTRAINT token_sources_token_fkey REFERENCES operator_tokens,
    source text NOT NULL,
    last_good_at timestamptz NOT NULL,
    CONSTRAINT token_sources_pkey PRIMARY KEY (token_id, source)
);
COMMENT ON TABLE token_sources IS 'Where tokens are used from: from there a good one goes on while others guess.';
COMMENT ON COLUMN token_sources.token_id IS 'The token.';
COMMENT ON COLUMN token_sources.source IS 'An IPv4 address, or the /64 network of an IPv6 one.';
COMMENT ON COLUMN token_sources.last_good_at IS 'When it was last good from there, to the minute.';

CREATE TABLE token_guesses (
    subject text CONSTRAINT token_guesses_pkey PRIMARY KEY,
    since timestamptz NOT NULL,
    wrong integer NOT NULL
);
CREATE INDEX token_guesses_since_idx ON token_guesses (since);
COMMENT ON TABLE token_guesses IS 'Wrong tokens of the last fifteen minutes.';
COMMENT ON COLUMN token_guesses.subject IS 'token ID, source ADDRESS, or token ID from ADDRESS.';
COMMENT ON COLUMN token_guesses.since IS 'When its fifteen minutes began.';
COMMENT ON COLUMN token_guesses.wrong IS 'How many of them were wrong, or are being looked at.';

CREATE TABLE approvals (
    approval_id uuid CONSTRAINT approvals_pkey PRIMARY KEY,
    kind text NOT NULL
        CONSTRAINT approvals_kind_check CHECK (kind IN ('Lift', 'UndoDelivery', 'Exception', 'DisableKey', 'SwitchMode', 'RestrictDescendants')),
    subject_id uuid NOT NULL,
    request jsonb NOT NULL,
    reason text NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    state text NOT NULL
        CONSTRAINT approvals_state_check CHECK (state IN ('Pending', 'Approved', 'Rejected', 'Withdrawn', 'Expired', 'Void')),
    decided_by text,
    decided_at timestamptz,
    remark text,
    CONSTRAINT approvals_decision_check CHECK (
        CASE state
            WHEN 'Pending' THEN decided_by IS NULL AND decided_at IS NULL
            WHEN 'Expired' THEN decided_by IS NULL
            ELSE decided_by IS NOT NULL AND decided_at IS NOT NULL
        END
    ),
    CONSTRAINT approvals_four_eyes_check CHECK (state <> 'Approved' OR decided_by <> requested_by)
);
CREATE UNIQUE INDEX approvals_pending_key ON approvals (kind, subject_id) WHERE state = 'Pending';
CREATE INDEX approvals_subject_idx ON approvals (subject_id);
COMMENT ON TABLE approvals IS 'Changes that need two operators: one requests, another decides.';
COMMENT ON COLUMN approvals.approval_id IS 'UUID version 7.';
COMMENT ON COLUMN approvals.kind IS 'What would be done.';
COMMENT ON COLUMN approvals.subject_id IS 'To what: the restriction, or the delivery; all zeros for the mode.';
COMMENT ON COLUMN approvals.request IS 'The change, as it was requested.';
COMMENT ON COLUMN approvals.reason IS 'Why, in the words of the operator who requested it.';
COMMENT ON COLUMN approvals.requested_by IS 'operator:NAME.';
COMMENT ON COLUMN approvals.requested_at IS 'When it was requested.';
COMMENT ON COLUMN approvals.expires_at IS 'From when on nobody can approve it.';
COMMENT ON COLUMN approvals.state IS 'Approved means done: the change commits with the decision. Void: the facts made it pointless before anybody decided.';
COMMENT ON COLUMN approvals.decided_by IS 'operator:NAME of another operator, or of the asking one who withdraws, or akgate for a void one.';
COMMENT ON COLUMN approvals.decided_at IS 'When it was decided.';
COMMENT ON COLUMN approvals.remark IS 'Why, in the deciding operator''s words.';

CREATE TABLE idempotency_keys (
    operator text NOT NULL,
    idempotency_key text NOT NULL,
    fingerprint bytea NOT NULL,
    node_id uuid,
    begun_at timestamptz NOT NULL,
    status integer,
    body bytea,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (operator, idempotency_key),
    CONSTRAINT idempotency_keys_body_check CHECK (body IS NULL OR status IS NOT NULL)
);
CREATE INDEX idempotency_keys_begun_idx ON idempotency_keys (begun_at);
COMMENT ON TABLE idempotency_keys IS 'Requests of operators that carried an Idempotency-Key, for a day.';
COMMENT ON COLUMN idempotency_keys.operator IS 'operator:NAME: a key is its operator''s own.';
COMMENT ON COLUMN idempotency_keys.idempotency_key IS 'As it was sent.';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'SHA-256 of method, path, query and body: the key goes with one request.';
COMMENT ON COLUMN idempotency_keys.node_id IS 'The node that is at work on the request: one that is silent has ended.';
COMMENT ON COLUMN idempotency_keys.begun_at IS 'When the request began.';
COMMENT ON COLUMN idempotency_keys.status IS 'The answer''s HTTP status; null while it runs. Only what succeeded is kept.';
COMMENT ON COLUMN idempotency_keys.body IS 'The answer; null while it runs, and where it is shown once alone.';

CREATE TABLE audit_records (
    audit_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_records_pkey PRIMARY KEY,
    history uuid NOT NULL,
    revision bigint NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    access_key_id text,
    restriction_id uuid,
    detail jsonb NOT NULL
);
CREATE INDEX audit_records_restriction_idx ON audit_records (restriction_id);
CREATE INDEX audit_records_key_idx ON audit_records (access_key_id, audit_id) WHERE access_key_id IS NOT NULL;
COMMENT ON TABLE audit_records IS 'Who did what: written in the transaction of the change, never changed.';
COMMENT ON COLUMN audit_records.audit_id IS 'In the order of writing.';
COMMENT ON COLUMN audit_records.history IS 'The history of its revision.';
COMMENT ON COLUMN audit_records.revision IS 'The registry''s revision after the change.';
COMMENT ON COLUMN audit_records.at IS 'When.';
COMMENT ON COLUMN audit_records.actor IS 'operator:NAME, contact:ID or akgate itself.';
COMMENT ON COLUMN audit_records.action IS 'What was done.';
COMMENT ON COLUMN audit_records.access_key_id IS 'The key concerned.';
COMMENT ON COLUMN audit_records.restriction_id IS 'The restriction concerned.';
COMMENT ON COLUMN audit_records.detail IS 'What else is worth knowing; never a secret.';
