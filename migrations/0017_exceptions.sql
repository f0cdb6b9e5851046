-- What takes two operators beside a lift: an exception from a restriction, disabling a pair, switching the mode. And a
-- self-remediation lane for each account.

CREATE TABLE exceptions (
    exception_id uuid CONSTRAINT exceptions_pkey PRIMARY KEY,
    restriction_id uuid NOT NULL CONSTRAINT exceptions_restriction_fkey REFERENCES restrictions,
    operations text[] NOT NULL CONSTRAINT exceptions_operations_check CHECK (cardinality(operations) > 0),
    networks text[] NOT NULL CONSTRAINT exceptions_networks_check CHECK (cardinality(networks) > 0),
    reason text NOT NULL,
    asked_by text NOT NULL,
    approved_by text NOT NULL,
    made_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_by text,
    revision bigint NOT NULL,
    CONSTRAINT exceptions_eyes_check CHECK (approved_by <> asked_by),
    CONSTRAINT exceptions_length_check CHECK (expires_at > made_at AND expires_at <= made_at + interval '72 hours'),
    CONSTRAINT exceptions_revoked_check CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE INDEX exceptions_restriction_idx ON exceptions (restriction_id);
CREATE INDEX exceptions_revision_idx ON exceptions (revision);
COMMENT ON TABLE exceptions IS 'What a restricted key may do all the same, from where, and until when. Of its restriction alone: a new leak has none.';
COMMENT ON COLUMN exceptions.exception_id IS 'UUID version 7.';
COMMENT ON COLUMN exceptions.restriction_id IS 'From which restriction.';
COMMENT ON COLUMN exceptions.operations IS 'PRODUCT:Action, each exact.';
COMMENT ON COLUMN exceptions.networks IS 'CIDR.';
COMMENT ON COLUMN exceptions.reason IS 'Why, in the asking operator''s words.';
COMMENT ON COLUMN exceptions.asked_by IS 'operator:NAME.';
COMMENT ON COLUMN exceptions.approved_by IS 'operator:NAME of another operator.';
COMMENT ON COLUMN exceptions.made_at IS 'Since when it holds.';
COMMENT ON COLUMN exceptions.expires_at IS 'From when on it holds no more; at most 72 hours later.';
COMMENT ON COLUMN exceptions.revoked_at IS 'When it was ended early.';
COMMENT ON COLUMN exceptions.revoked_by IS 'operator:NAME.';
COMMENT ON COLUMN exceptions.revision IS 'Revision of its last change.';

CREATE TABLE policy_switch (
    one boolean NOT NULL DEFAULT true CONSTRAINT policy_switch_pkey PRIMARY KEY CONSTRAINT policy_switch_one_check CHECK (one),
    mode text CONSTRAINT policy_switch_mode_check CHECK (mode IN ('enforce', 'shadow', 'off')),
    reason text,
    asked_by text,
    approved_by text,
    switched_at timestamptz,
    revision bigint NOT NULL,
    CONSTRAINT policy_switch_eyes_check CHECK (approved_by <> asked_by)
);
INSERT INTO policy_switch (revision) VALUES (0);
COMMENT ON TABLE policy_switch IS 'The mode that operators have switched to; one row.';
COMMENT ON COLUMN policy_switch.one IS 'There is one row.';
COMMENT ON COLUMN policy_switch.mode IS 'At every node, in place of the configured one; null for what each is configured to.';
COMMENT ON COLUMN policy_switch.reason IS 'Why, in the asking operator''s words.';
COMMENT ON COLUMN policy_switch.asked_by IS 'operator:NAME.';
COMMENT ON COLUMN policy_switch.approved_by IS 'operator:NAME of another operator.';
COMMENT ON COLUMN policy_switch.switched_at IS 'When.';
COMMENT ON COLUMN policy_switch.revision IS 'Revision of the last switch.';

ALTER TABLE access_keys
    ADD COLUMN disabled_at timestamptz,
    ADD COLUMN disabled_by text,
    ADD CONSTRAINT access_keys_disabled_check CHECK (
        (disabled_at IS NULL) = (disabled_by IS NULL)
        AND (disabled_at IS NULL OR status <> 'Active')
    );
COMMENT ON COLUMN access_keys.disabled_at IS 'Since when operators hold it disabled; an import does not bring it back, its owner''s own call does.';
COMMENT ON COLUMN access_keys.disabled_by IS 'operator:NAME, who asked for it.';

ALTER TABLE accounts ADD COLUMN self_remedy boolean;
COMMENT ON COLUMN accounts.self_remedy IS 'Whether its restricted keys may disable or delete themselves; null for the configured default.';
COMMENT ON COLUMN accounts.revision IS 'Revision of the last change of its profile or lane.';

ALTER TABLE approvals
    DROP CONSTRAINT approvals_kind_check,
    ADD CONSTRAINT approvals_kind_check CHECK (kind IN ('Lift', 'UndoDelivery', 'Exception', 'DisableKey', 'SwitchMode'));
COMMENT ON COLUMN approvals.subject_id IS 'To what: the restriction, or the delivery; all zeros for the mode.';
