-- Requests that are made once however often they are sent, and restrictions that are found by what an operator knows.

CREATE TABLE idempotency_keys (
    operator text NOT NULL,
    idempotency_key text NOT NULL,
    fingerprint bytea NOT NULL,
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
COMMENT ON COLUMN idempotency_keys.begun_at IS 'When the request began.';
COMMENT ON COLUMN idempotency_keys.status IS 'The answer''s HTTP status; null while it runs. Only what succeeded is kept.';
COMMENT ON COLUMN idempotency_keys.body IS 'The answer; null while it runs, and where it is shown once alone.';

CREATE INDEX access_keys_principal_idx ON access_keys (principal_id);

-- Prefixes, whatever the database''s collation.
CREATE INDEX restrictions_key_prefix_idx ON restrictions (access_key_id COLLATE "C");
CREATE INDEX restrictions_ticket_prefix_idx ON restrictions (ticket COLLATE "C") WHERE ticket IS NOT NULL;
CREATE INDEX principals_account_prefix_idx ON principals (account_id COLLATE "C");
CREATE INDEX principals_user_prefix_idx ON principals (user_name COLLATE "C") WHERE user_name IS NOT NULL;
CREATE INDEX leak_reports_url_prefix_idx ON leak_reports ((left(url, 200)) COLLATE "C") WHERE restriction_id IS NOT NULL AND url IS NOT NULL;
CREATE INDEX leak_reports_reference_prefix_idx ON leak_reports ((left(reference, 200)) COLLATE "C") WHERE restriction_id IS NOT NULL;
CREATE INDEX audit_records_key_idx ON audit_records (access_key_id, audit_id) WHERE access_key_id IS NOT NULL;
