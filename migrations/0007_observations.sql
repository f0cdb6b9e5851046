-- Watching before enforcing: what is seen of calls while nothing is refused.

CREATE TABLE observations (
    hour timestamptz NOT NULL,
    watch text NOT NULL CONSTRAINT observations_watch_check CHECK (watch IN ('mirror', 'shadow')),
    outcome text NOT NULL CONSTRAINT observations_outcome_check CHECK (outcome IN ('Passes', 'WouldRefuse', 'Fails', 'NotInDirectory', 'NotJudged')),
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
    CONSTRAINT observations_pkey PRIMARY KEY (hour, watch, outcome, access_key_id, product, action, code)
);
COMMENT ON TABLE observations IS 'Calls seen by a node that watches, per hour: in the path in shadow mode, or mirrored.';
COMMENT ON COLUMN observations.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN observations.watch IS 'mirror: copies of calls that went another way. shadow: in the path.';
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
