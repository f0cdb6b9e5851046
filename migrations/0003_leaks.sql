-- Leaks: the sources, what they delivered, and what it proves.

CREATE TABLE sources (
    source text CONSTRAINT sources_pkey PRIMARY KEY,
    keys_requested_at timestamptz,
    keys_fetched_at timestamptz,
    suspected_hour timestamptz,
    suspected bigint NOT NULL DEFAULT 0,
    paused_at timestamptz
);
COMMENT ON TABLE sources IS 'What all nodes know together of a source of leak reports.';
COMMENT ON COLUMN sources.source IS 'Its name.';
COMMENT ON COLUMN sources.keys_requested_at IS 'When its signing keys were last asked for, whatever came of it: once a minute at most, by all nodes.';
COMMENT ON COLUMN sources.keys_fetched_at IS 'When its signing keys were last read.';
COMMENT ON COLUMN sources.suspected_hour IS 'The hour (UTC) that suspected counts.';
COMMENT ON COLUMN sources.suspected IS 'New suspicions in that hour.';
COMMENT ON COLUMN sources.paused_at IS 'Since when its suspicions are held, because there were too many; null while they are not. What is proven is never held.';

CREATE TABLE signing_keys (
    source text NOT NULL CONSTRAINT signing_keys_source_fkey REFERENCES sources,
    key_identifier text NOT NULL,
    key text NOT NULL,
    is_current boolean NOT NULL,
    CONSTRAINT signing_keys_pkey PRIMARY KEY (source, key_identifier)
);
COMMENT ON TABLE signing_keys IS 'The last good set of the keys that a source signs its deliveries with.';
COMMENT ON COLUMN signing_keys.source IS 'Whose.';
COMMENT ON COLUMN signing_keys.key_identifier IS 'What its deliveries name it by.';
COMMENT ON COLUMN signing_keys.key IS 'Public key, PEM, as the source writes it.';
COMMENT ON COLUMN signing_keys.is_current IS 'Whether the source says that it signs with it now.';

CREATE TABLE deliveries (
    delivery_id uuid CONSTRAINT deliveries_pkey PRIMARY KEY,
    source text NOT NULL,
    body_sha256 bytea,
    key_identifier text,
    delivered_by text NOT NULL,
    received_at timestamptz NOT NULL,
    last_received_at timestamptz NOT NULL,
    times integer NOT NULL DEFAULT 1,
    undone_at timestamptz,
    undone_by text,
    undone_reason text,
    CONSTRAINT deliveries_body_key UNIQUE (source, body_sha256),
    CONSTRAINT deliveries_undone_check CHECK ((undone_at IS NULL) = (undone_by IS NULL) AND (undone_at IS NULL) = (undone_reason IS NULL))
);
COMMENT ON TABLE deliveries IS 'What arrived, each body once: bodies and files that hold any number of reports.';
COMMENT ON COLUMN deliveries.delivery_id IS 'UUID version 7.';
COMMENT ON COLUMN deliveries.source IS 'Who delivered: github, gitlab, …, or the name that an import gave.';
COMMENT ON COLUMN deliveries.body_sha256 IS 'SHA-256 of the body as it was received; null for a file that was imported.';
COMMENT ON COLUMN deliveries.key_identifier IS 'Which key of the source signed it, the first time; null where none did.';
COMMENT ON COLUMN deliveries.delivered_by IS 'source:NAME or operator:NAME.';
COMMENT ON COLUMN deliveries.received_at IS 'When it arrived first.';
COMMENT ON COLUMN deliveries.last_received_at IS 'When it arrived last.';
COMMENT ON COLUMN deliveries.times IS 'How often it arrived.';
COMMENT ON COLUMN deliveries.undone_at IS 'When the restrictions that it alone had led to were lifted again.';
COMMENT ON COLUMN deliveries.undone_by IS 'By whom: operator:NAME.';
COMMENT ON COLUMN deliveries.undone_reason IS 'Why, in their words.';

CREATE TABLE possession_claims (
    claim_id uuid CONSTRAINT possession_claims_pkey PRIMARY KEY,
    access_key_id text,
    nonce text,
    mac bytea,
    secret_digest bytea,
    url text,
    commit_id text,
    path text,
    received_at timestamptz NOT NULL,
    CONSTRAINT possession_claims_shown_check CHECK (
        (mac IS NOT NULL AND access_key_id IS NOT NULL AND nonce IS NOT NULL AND secret_digest IS NULL)
        OR (mac IS NULL AND secret_digest IS NOT NULL)
    )
);
COMMENT ON TABLE possession_claims IS 'What the public has reported and nobody has looked into yet: written before any look-up, gone afterwards.';
COMMENT ON COLUMN possession_claims.claim_id IS 'UUID version 7.';
COMMENT ON COLUMN possession_claims.access_key_id IS 'The key that somebody says they hold.';
COMMENT ON COLUMN possession_claims.nonce IS 'Chosen by them: a MAC counts once.';
COMMENT ON COLUMN possession_claims.mac IS 'HMAC-SHA256 by the secret over our host and the nonce.';
COMMENT ON COLUMN possession_claims.secret_digest IS 'Keyed digest of the secret, where that itself was sent.';
COMMENT ON COLUMN possession_claims.url IS 'Where they found it.';
COMMENT ON COLUMN possession_claims.commit_id IS 'In which commit.';
COMMENT ON COLUMN possession_claims.path IS 'In which file.';
COMMENT ON COLUMN possession_claims.received_at IS 'When it arrived.';
