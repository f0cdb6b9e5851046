-- Calls: intents of mutations, refusals, counts and observations.

CREATE TABLE intents (
    access_key_id text NOT NULL,
    nonce text NOT NULL,
    signed_at timestamptz NOT NULL,
    request_id uuid NOT NULL,
    account_id text NOT NULL,
    principal text NOT NULL,
    product text NOT NULL,
    version text NOT NULL,
    action text NOT NULL,
    effect text NOT NULL,
    grounds text NOT NULL,
    names jsonb NOT NULL,
    source_ip text NOT NULL,
    user_agent text NOT NULL,
    received_at timestamptz NOT NULL,
    root text,
    outcome text
        CONSTRAINT intents_outcome_check CHECK (outcome IN ('Succeeded', 'Failed', 'NotForwarded', 'Unknown', 'NotRecorded')),
    status integer,
    code text,
    settled_at timestamptz,
    CONSTRAINT intents_replay_key PRIMARY KEY (access_key_id, nonce, signed_at)
) PARTITION BY RANGE (signed_at);
CREATE INDEX intents_request_idx ON intents (request_id);
CREATE INDEX intents_root_idx ON intents ((COALESCE(root, access_key_id)), received_at DESC);
CREATE INDEX intents_received_idx ON intents USING brin (received_at);
COMMENT ON TABLE intents IS 'Calls that were to change something, written before they were forwarded; a partition per day (UTC) of signing.';
COMMENT ON COLUMN intents.access_key_id IS 'The key that signed; with nonce and signed_at it is accepted once, on every node.';
COMMENT ON COLUMN intents.nonce IS 'The nonce that was signed.';
COMMENT ON COLUMN intents.signed_at IS 'The time that was signed; it chooses the partition, so a replay meets the first call.';
COMMENT ON COLUMN intents.request_id IS 'The RequestId that the caller got.';
COMMENT ON COLUMN intents.account_id IS 'Account of the principal.';
COMMENT ON COLUMN intents.principal IS 'ARN of the principal.';
COMMENT ON COLUMN intents.product IS 'Product code.';
COMMENT ON COLUMN intents.version IS 'API version.';
COMMENT ON COLUMN intents.action IS 'Action.';
COMMENT ON COLUMN intents.effect IS 'What it would change.';
COMMENT ON COLUMN intents.grounds IS 'Why it was permitted.';
COMMENT ON COLUMN intents.names IS 'The parameters that the catalogue lists for keeping; never all.';
COMMENT ON COLUMN intents.source_ip IS 'Where it came from.';
COMMENT ON COLUMN intents.user_agent IS 'What the caller said it was, cut at 256 characters.';
COMMENT ON COLUMN intents.received_at IS 'When it was received.';
COMMENT ON COLUMN intents.root IS 'What the session that signed descends from: an AccessKey, or an identity provider as creations names it; null where the signer itself is that.';
COMMENT ON COLUMN intents.outcome IS 'What came of it; null: not known (yet). NotForwarded: a restriction came in between, or the registry could not be asked. NotRecorded: executed, but what it changed could not be learnt.';
COMMENT ON COLUMN intents.status IS 'HTTP status of upstream''s answer.';
COMMENT ON COLUMN intents.code IS 'Error code of upstream''s answer.';
COMMENT ON COLUMN intents.settled_at IS 'When the outcome was known.';

CREATE TABLE refusals (
    request_id uuid CONSTRAINT refusals_pkey PRIMARY KEY,
    access_key_id text NOT NULL,
    restriction_id uuid,
    account_id text NOT NULL,
    product text NOT NULL,
    version text NOT NULL,
    action text NOT NULL,
    effect text NOT NULL,
    withheld boolean NOT NULL,
    names jsonb NOT NULL,
    source_ip text NOT NULL,
    user_agent text NOT NULL,
    refused_at timestamptz NOT NULL,
    profile text CONSTRAINT refusals_profile_check CHECK (profile IN ('mutations', 'strict')),
    revision bigint
);
CREATE INDEX refusals_key_idx ON refusals (access_key_id, refused_at DESC);
CREATE INDEX refusals_restriction_idx ON refusals (restriction_id, refused_at) WHERE restriction_id IS NOT NULL;
COMMENT ON TABLE refusals IS 'Calls that policy refused, by RequestId: at most 1,000 per key and hour, then only counted.';
COMMENT ON COLUMN refusals.request_id IS 'The RequestId that the caller got.';
COMMENT ON COLUMN refusals.access_key_id IS 'The key that signed.';
COMMENT ON COLUMN refusals.restriction_id IS 'The restriction that forbade it.';
COMMENT ON COLUMN refusals.account_id IS 'Account of the principal.';
COMMENT ON COLUMN refusals.product IS 'Product code.';
COMMENT ON COLUMN refusals.version IS 'API version.';
COMMENT ON COLUMN refusals.action IS 'Action.';
COMMENT ON COLUMN refusals.effect IS 'What it would have changed.';
COMMENT ON COLUMN refusals.withheld IS 'It passed: the policy is in shadow or not yet in force.';
COMMENT ON COLUMN refusals.names IS 'The parameters that the catalogue lists for keeping; never all.';
COMMENT ON COLUMN refusals.source_ip IS 'Where it came from.';
COMMENT ON COLUMN refusals.user_agent IS 'What the caller said it was, cut at 256 characters.';
COMMENT ON COLUMN refusals.refused_at IS 'When.';
COMMENT ON COLUMN refusals.profile IS 'The profile by which it was decided; null where it was decided before this was kept.';
COMMENT ON COLUMN refusals.revision IS 'The revision of the registry that the node knew; null where it was decided before this was kept.';

CREATE TABLE call_counts (
    access_key_id text NOT NULL,
    hour timestamptz NOT NULL,
    product text NOT NULL,
    version text NOT NULL,
    action text NOT NULL,
    forwarded bigint NOT NULL,
    refused bigint NOT NULL,
    CONSTRAINT call_counts_pkey PRIMARY KEY (access_key_id, hour, product, version, action)
);
COMMENT ON TABLE call_counts IS 'Verified calls per key, action and hour.';
COMMENT ON COLUMN call_counts.access_key_id IS 'The key that signed.';
COMMENT ON COLUMN call_counts.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN call_counts.product IS 'Product code.';
COMMENT ON COLUMN call_counts.version IS 'API version.';
COMMENT ON COLUMN call_counts.action IS 'Action.';
COMMENT ON COLUMN call_counts.forwarded IS 'Calls that went upstream.';
COMMENT ON COLUMN call_counts.refused IS 'Calls that policy refused.';

CREATE TABLE observations (
    hour timestamptz NOT NULL,
    observation_point text NOT NULL CONSTRAINT observations_observation_point_check
        CHECK (observation_point IN ('mirror', 'shadow')),
    outcome text NOT NULL
        CONSTRAINT observations_outcome_check CHECK (outcome IN ('Passes', 'WouldRefuse', 'Fails', 'NotInDirectory', 'NotJudged')),
    access_key_id text NOT NULL,
    product text NOT NULL,
    action text NOT NULL,
    code text NOT NULL,
    reason text NOT NULL,
    account_id text NOT NULL,
    principal text NOT NULL,
    restriction_id uuid,
    calls bigint NOT NULL,
    last_request_id uuid NOT NULL,
    last_source_ip text NOT NULL,
    last_at timestamptz NOT NULL,
    CONSTRAINT observations_pkey PRIMARY KEY (hour, observation_point, outcome, access_key_id, product, action, code)
);
COMMENT ON TABLE observations IS 'Calls seen by a node that watches, per hour: in the path in shadow mode, or mirrored.';
COMMENT ON COLUMN observations.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN observations.observation_point IS 'mirror: copies of calls that went another way. shadow: in the path.';
COMMENT ON COLUMN observations.outcome IS 'Fails: verification failed. WouldRefuse: verified, and policy would have refused it. NotInDirectory: nobody here knows the AccessKeyId. NotJudged: the directory could not be asked.';
COMMENT ON COLUMN observations.access_key_id IS 'The key that signed, proven or only claimed; empty where none is, or where more unproven keys called than are told apart.';
COMMENT ON COLUMN observations.product IS 'Product code; empty where the call names no known operation.';
COMMENT ON COLUMN observations.action IS 'Action; empty where the call names no known operation.';
COMMENT ON COLUMN observations.code IS 'The error that the caller would have got; empty for none.';
COMMENT ON COLUMN observations.reason IS 'The last such error in words, cut at 256 characters.';
COMMENT ON COLUMN observations.account_id IS 'Account of the principal, where it is proven.';
COMMENT ON COLUMN observations.principal IS 'ARN of the principal, where it is proven.';
COMMENT ON COLUMN observations.restriction_id IS 'The restriction that would have forbidden it.';
COMMENT ON COLUMN observations.calls IS 'How many.';
COMMENT ON COLUMN observations.last_request_id IS 'The last one.';
COMMENT ON COLUMN observations.last_source_ip IS 'Where the last one came from.';
COMMENT ON COLUMN observations.last_at IS 'When the last one came.';
