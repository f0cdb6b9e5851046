-- Four eyes: what one operator asks for and another decides. Why a restriction was closed.

CREATE TABLE approvals (
    approval_id uuid CONSTRAINT approvals_pkey PRIMARY KEY,
    kind text NOT NULL CONSTRAINT approvals_kind_check CHECK (kind IN ('Lift', 'UndoDelivery')),
    subject_id uuid NOT NULL,
    request jsonb NOT NULL,
    reason text NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    state text NOT NULL CONSTRAINT approvals_state_check CHECK (state IN ('Waiting', 'Approved', 'Rejected', 'Withdrawn', 'Expired')),
    decided_by text,
    decided_at timestamptz,
    remark text,
    CONSTRAINT approvals_decision_check CHECK (
        CASE state
            WHEN 'Waiting' THEN decided_by IS NULL AND decided_at IS NULL
            WHEN 'Expired' THEN decided_by IS NULL
            ELSE decided_by IS NOT NULL AND decided_at IS NOT NULL
        END
    ),
    CONSTRAINT approvals_eyes_check CHECK (state <> 'Approved' OR decided_by <> asked_by)
);
CREATE UNIQUE INDEX approvals_waiting_key ON approvals (kind, subject_id) WHERE state = 'Waiting';
COMMENT ON TABLE approvals IS 'What takes two operators: one asks, another decides.';
COMMENT ON COLUMN approvals.approval_id IS 'UUID version 7.';
COMMENT ON COLUMN approvals.kind IS 'What would be done.';
COMMENT ON COLUMN approvals.subject_id IS 'To what: the restriction, or the delivery.';
COMMENT ON COLUMN approvals.request IS 'How it would be done, as it was asked for.';
COMMENT ON COLUMN approvals.reason IS 'Why, in the asking operator''s words.';
COMMENT ON COLUMN approvals.asked_by IS 'operator:NAME.';
COMMENT ON COLUMN approvals.asked_at IS 'When it was asked for.';
COMMENT ON COLUMN approvals.expires_at IS 'From when on nobody can approve it.';
COMMENT ON COLUMN approvals.state IS 'Approved is done: the deed commits with the decision.';
COMMENT ON COLUMN approvals.decided_by IS 'operator:NAME of another operator, or of the asking one who withdraws.';
COMMENT ON COLUMN approvals.decided_at IS 'When it was decided.';
COMMENT ON COLUMN approvals.remark IS 'Why, in the deciding operator''s words.';

ALTER TABLE restrictions
    ADD COLUMN closing text CONSTRAINT restrictions_closing_check
        CHECK (closing IN ('Rotated', 'Disabled', 'Deleted', 'FalsePositive', 'UsedInTests', 'AcceptedRisk')),
    ADD COLUMN approved_by text;
COMMENT ON COLUMN restrictions.closing IS 'Why it was closed, in a word; null where it is in force, and where it was lifted before this was kept.';
COMMENT ON COLUMN restrictions.approved_by IS 'operator:NAME of the second operator, where the lift took two.';
