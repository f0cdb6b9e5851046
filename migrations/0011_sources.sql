-- Leaks arrive from everywhere: how far each report is proven, and by which delivery it came.

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

ALTER TABLE leak_reports
    ALTER COLUMN access_key_id DROP NOT NULL,
    ALTER COLUMN restriction_id DROP NOT NULL,
    ADD COLUMN parent_access_key_id text,
    ADD COLUMN proof text NOT NULL DEFAULT 'Decided'
        CONSTRAINT leak_reports_proof_check CHECK (proof IN ('Suspected', 'Secret', 'Pair', 'Decided')),
    ADD COLUMN commit_id text,
    ADD COLUMN path text,
    ADD COLUMN held boolean NOT NULL DEFAULT false,
    ADD COLUMN delivery_id uuid CONSTRAINT leak_reports_delivery_fkey REFERENCES deliveries;
ALTER TABLE leak_reports
    ALTER COLUMN proof DROP DEFAULT,
    ADD CONSTRAINT leak_reports_found_check CHECK (access_key_id IS NOT NULL OR secret_digest IS NOT NULL),
    ADD CONSTRAINT leak_reports_restricts_check CHECK ((proof = 'Suspected') = (restriction_id IS NULL));
CREATE INDEX leak_reports_nobodys_idx ON leak_reports (secret_digest) WHERE access_key_id IS NULL;
CREATE INDEX leak_reports_delivery_idx ON leak_reports (delivery_id);
CREATE INDEX leak_reports_key_idx ON leak_reports (access_key_id);
COMMENT ON TABLE leak_reports IS 'What was seen where: each sighting once, by the source''s own reference, or by key and place.';
COMMENT ON COLUMN leak_reports.reference IS 'The source''s own id of the finding, or a digest of key, URL, commit and path.';
COMMENT ON COLUMN leak_reports.access_key_id IS 'The key or session that was found; null for a secret that is nobody''s.';
COMMENT ON COLUMN leak_reports.parent_access_key_id IS 'The AccessKey that a found session descends from, which is what is restricted.';
COMMENT ON COLUMN leak_reports.restriction_id IS 'The restriction that it led to, or joined; null while it is suspected alone.';
COMMENT ON COLUMN leak_reports.proof IS 'Suspected: the id alone, or a secret that is nobody''s. Secret: found by its digest. Pair: id and secret. Decided: by an operator.';
COMMENT ON COLUMN leak_reports.commit_id IS 'In which commit.';
COMMENT ON COLUMN leak_reports.path IS 'In which file.';
COMMENT ON COLUMN leak_reports.held IS 'A suspicion that came while its source was paused: nobody is told of it before an operator has seen to that.';
COMMENT ON COLUMN leak_reports.delivery_id IS 'What it arrived with; null where it arrived alone.';

ALTER TABLE sessions ADD COLUMN blind_index bytea;
CREATE INDEX sessions_blind_index_idx ON sessions (blind_index);
COMMENT ON COLUMN sessions.blind_index IS 'HMAC of the secret, so that a leaked one can be found; null for one that was kept before there was any.';

CREATE TABLE sources (
    source text CONSTRAINT sources_pkey PRIMARY KEY,
    keys_asked_at timestamptz,
    keys_fetched_at timestamptz,
    suspected_hour timestamptz,
    suspected bigint NOT NULL DEFAULT 0,
    paused_at timestamptz
);
COMMENT ON TABLE sources IS 'What all nodes know together of a source of leak reports.';
COMMENT ON COLUMN sources.source IS 'Its name.';
COMMENT ON COLUMN sources.keys_asked_at IS 'When its signing keys were last asked for, whatever came of it: once a minute at most, by all nodes.';
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
COMMENT ON COLUMN restrictions.lifted_revision IS 'Sessions asked for before this revision stay restricted; 0 where its delivery was undone: none does.';

ALTER TABLE operator_tasks
    ALTER COLUMN restriction_id DROP NOT NULL,
    ADD COLUMN source text CONSTRAINT operator_tasks_source_fkey REFERENCES sources,
    DROP CONSTRAINT operator_tasks_kind_check,
    ADD CONSTRAINT operator_tasks_kind_check CHECK (kind IN ('Unreachable', 'DisablePair', 'Disputed', 'SourcePaused')),
    ADD CONSTRAINT operator_tasks_about_check CHECK ((restriction_id IS NULL) <> (source IS NULL));
CREATE UNIQUE INDEX operator_tasks_source_key ON operator_tasks (source, kind) WHERE closed_at IS NULL;
COMMENT ON COLUMN operator_tasks.kind IS 'Unreachable: no letter reaches the owner. DisablePair: the pair still works after the whole ladder. Disputed: a contact took a confirmation back after the lift. SourcePaused: a source has told too many suspicions.';
COMMENT ON COLUMN operator_tasks.restriction_id IS 'The restriction that it is about; null where it is about a source.';
COMMENT ON COLUMN operator_tasks.source IS 'The source of leak reports that it is about; null where it is about a restriction.';

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

ALTER TABLE letters
    ALTER COLUMN restriction_id DROP NOT NULL,
    ADD COLUMN access_key_id text,
    DROP CONSTRAINT letters_kind_check,
    ADD CONSTRAINT letters_kind_check CHECK (
        kind IN ('Announced', 'Imposed', 'Repeated', 'Reminder', 'Widened', 'Confirmed', 'Withdrawn', 'Lifted', 'Suspected')
    ),
    ADD CONSTRAINT letters_about_check CHECK ((restriction_id IS NULL) = (kind = 'Suspected') AND (access_key_id IS NULL) <> (kind = 'Suspected'));
CREATE INDEX letters_suspected_idx ON letters (access_key_id, contact_id) WHERE kind = 'Suspected';
COMMENT ON COLUMN letters.restriction_id IS 'The restriction that it is about; null of a suspicion.';
COMMENT ON COLUMN letters.access_key_id IS 'The key that is suspected to have leaked; null of a letter about a restriction.';
COMMENT ON COLUMN letters.kind IS 'What it tells: Announced (before enforce_from), Imposed, Repeated (seen again), Reminder, Widened, Confirmed, Withdrawn, Lifted; Suspected (the id alone was seen: nothing is restricted).';
