-- Four roles, tokens that end, and wrong guesses counted.

ALTER TABLE operators
    DROP CONSTRAINT operators_role_check,
    ADD CONSTRAINT operators_role_check CHECK (role IN ('service', 'viewer', 'operator', 'approver', 'admin')),
    ADD COLUMN revoked_by text;
COMMENT ON COLUMN operators.operator_id IS 'Of the first token; stays when tokens change.';
COMMENT ON COLUMN operators.role IS 'service reads notices and reports bounces; viewer reads; operator also acts; approver also decides what needs two people; admin also manages operators.';
COMMENT ON COLUMN operators.revoked_by IS 'operator:NAME, or akgate at the command line.';

CREATE TABLE operator_tokens (
    token_id text CONSTRAINT operator_tokens_pkey PRIMARY KEY,
    operator_id text NOT NULL CONSTRAINT operator_tokens_operator_fkey REFERENCES operators,
    role text NOT NULL CONSTRAINT operator_tokens_role_check CHECK (role IN ('service', 'viewer', 'operator', 'approver', 'admin')),
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
COMMENT ON COLUMN operator_tokens.created_at IS 'When it was made.';
COMMENT ON COLUMN operator_tokens.created_by IS 'operator:NAME, or akgate at the command line.';
COMMENT ON COLUMN operator_tokens.expires_at IS 'From when on it is worth nothing.';
COMMENT ON COLUMN operator_tokens.revoked_at IS 'Since when it is worth nothing.';
COMMENT ON COLUMN operator_tokens.revoked_by IS 'operator:NAME, or akgate at the command line.';
COMMENT ON COLUMN operator_tokens.last_used_at IS 'When it was last good, to the minute.';
COMMENT ON COLUMN operator_tokens.last_used_from IS 'From which address.';

-- A token of before has ninety days from now.
INSERT INTO operator_tokens (token_id, operator_id, role, token_sha256, created_at, created_by, expires_at, revoked_at)
SELECT operator_id, operator_id, role, token_sha256, created_at, 'akgate', now() + interval '90 days', revoked_at
FROM operators;
ALTER TABLE operators DROP COLUMN token_sha256;

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
