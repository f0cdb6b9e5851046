-- The owner understands and can act: contacts in order, the escalation ladder, what a confirmation says, its
-- withdrawal, and what an operator has to see to.

ALTER TABLE contacts
    ADD COLUMN rank integer NOT NULL DEFAULT 1 CONSTRAINT contacts_rank_check CHECK (rank > 0),
    ADD COLUMN unreachable_since timestamptz;
COMMENT ON COLUMN contacts.rank IS 'Those of the lowest rank are told at first, the next where no letter reaches them or nothing happens.';
COMMENT ON COLUMN contacts.unreachable_since IS 'Since when letters come back; null while they arrive.';

ALTER TABLE restrictions
    ADD COLUMN told_at timestamptz,
    ADD COLUMN reminders integer NOT NULL DEFAULT 0,
    ADD COLUMN widened_at timestamptz,
    ADD COLUMN next_contacts_at timestamptz,
    ADD COLUMN disabling_proposed_at timestamptz,
    ADD COLUMN look_at timestamptz;
CREATE INDEX restrictions_look_idx ON restrictions (look_at) WHERE state <> 'Lifted';
COMMENT ON COLUMN restrictions.told_at IS 'When the first letter about it was sent: the escalation ladder counts from here.';
COMMENT ON COLUMN restrictions.reminders IS 'Reminders that are over.';
COMMENT ON COLUMN restrictions.widened_at IS 'Since when sensitive reads are refused as well.';
COMMENT ON COLUMN restrictions.next_contacts_at IS 'When the next contacts were told.';
COMMENT ON COLUMN restrictions.disabling_proposed_at IS 'When operators were asked to disable the pair.';
COMMENT ON COLUMN restrictions.look_at IS 'When its facts are looked at next; null before anybody was told.';

ALTER TABLE restrictions DROP CONSTRAINT restrictions_confirmation_check;
ALTER TABLE restrictions ADD CONSTRAINT restrictions_confirmation_check
    CHECK (state <> 'Remediated' OR (remediated_at IS NOT NULL AND confirmed_by IS NOT NULL));
COMMENT ON COLUMN restrictions.lifted_by IS 'Who lifted it: operator:NAME, or policy.';

ALTER TABLE letters DROP CONSTRAINT letters_kind_check;
ALTER TABLE letters ADD CONSTRAINT letters_kind_check CHECK (
    kind IN ('Announced', 'Imposed', 'Repeated', 'Reminder', 'Widened', 'Confirmed', 'Withdrawn', 'Lifted')
);
COMMENT ON COLUMN letters.kind IS 'What it tells: Announced (before enforce_from), Imposed, Repeated (seen again), Reminder, Widened, Confirmed, Withdrawn, Lifted.';

-- Nobody was told of the ladder yet: those who know of a restriction are reminded, which announces it, and it begins.
WITH begun AS (
    UPDATE restrictions r
    SET told_at = now(),
        look_at = now()
    FROM access_keys k
    WHERE k.access_key_id = r.access_key_id
      AND k.status = 'Active'
      AND r.state <> 'Lifted'
      AND EXISTS (
          SELECT 1
          FROM letters l
          WHERE l.restriction_id = r.restriction_id
            AND l.kind = 'Imposed'
            AND l.state = 'Sent'
      )
    RETURNING r.restriction_id
)
INSERT INTO letters (letter_id, restriction_id, contact_id, kind, state, due_at, created_at)
SELECT gen_random_uuid(), l.restriction_id, l.contact_id, 'Reminder', 'Due', now(), now()
FROM begun
JOIN letters l USING (restriction_id)
WHERE l.kind = 'Imposed'
  AND l.state = 'Sent';

CREATE UNIQUE INDEX letters_repeated_key ON letters (restriction_id, contact_id) WHERE kind = 'Repeated' AND state = 'Due';

ALTER TABLE confirmation_links
    ADD COLUMN purpose text NOT NULL DEFAULT 'Confirm'
        CONSTRAINT confirmation_links_purpose_check CHECK (purpose IN ('Confirm', 'Withdraw'));
ALTER TABLE confirmation_links ALTER COLUMN purpose DROP DEFAULT;
COMMENT ON COLUMN confirmation_links.purpose IS 'Confirm the clean-up, or withdraw a confirmation.';

CREATE TABLE confirmations (
    confirmation_id uuid CONSTRAINT confirmations_pkey PRIMARY KEY,
    restriction_id uuid NOT NULL CONSTRAINT confirmations_restriction_fkey REFERENCES restrictions,
    confirmed_at timestamptz NOT NULL,
    confirmed_by text NOT NULL,
    done jsonb NOT NULL,
    remark text,
    withdrawn_at timestamptz,
    withdrawn_by text
);
CREATE INDEX confirmations_restriction_idx ON confirmations (restriction_id);
COMMENT ON TABLE confirmations IS 'What owners said of a clean-up: statements, not proofs.';
COMMENT ON COLUMN confirmations.confirmation_id IS 'UUID version 7.';
COMMENT ON COLUMN confirmations.restriction_id IS 'What it is about.';
COMMENT ON COLUMN confirmations.confirmed_at IS 'When.';
COMMENT ON COLUMN confirmations.confirmed_by IS 'contact:ID or operator:NAME.';
COMMENT ON COLUMN confirmations.done IS 'What they say they did: Rotated, Disabled, Deleted, Removed, Reviewed.';
COMMENT ON COLUMN confirmations.remark IS 'In their words.';
COMMENT ON COLUMN confirmations.withdrawn_at IS 'When it was withdrawn.';
COMMENT ON COLUMN confirmations.withdrawn_by IS 'By whom: contact:ID.';

CREATE TABLE acknowledgements (
    restriction_id uuid NOT NULL CONSTRAINT acknowledgements_restriction_fkey REFERENCES restrictions,
    artefact text NOT NULL,
    acknowledged_at timestamptz NOT NULL,
    acknowledged_by text NOT NULL,
    CONSTRAINT acknowledgements_pkey PRIMARY KEY (restriction_id, artefact)
);
COMMENT ON TABLE acknowledgements IS 'What the leaked key made or changed, and the owner has looked at.';
COMMENT ON COLUMN acknowledgements.restriction_id IS 'Whose key.';
COMMENT ON COLUMN acknowledgements.artefact IS 'call:REQUEST_ID or session:ID.';
COMMENT ON COLUMN acknowledgements.acknowledged_at IS 'When.';
COMMENT ON COLUMN acknowledgements.acknowledged_by IS 'contact:ID.';

CREATE TABLE operator_tasks (
    task_id uuid CONSTRAINT operator_tasks_pkey PRIMARY KEY,
    kind text NOT NULL CONSTRAINT operator_tasks_kind_check CHECK (kind IN ('Unreachable', 'DisablePair', 'Disputed')),
    restriction_id uuid NOT NULL CONSTRAINT operator_tasks_restriction_fkey REFERENCES restrictions,
    created_at timestamptz NOT NULL,
    closed_at timestamptz,
    closed_by text,
    remark text
);
CREATE UNIQUE INDEX operator_tasks_open_key ON operator_tasks (restriction_id, kind) WHERE closed_at IS NULL;
COMMENT ON TABLE operator_tasks IS 'What an operator has to see to.';
COMMENT ON COLUMN operator_tasks.task_id IS 'UUID version 7.';
COMMENT ON COLUMN operator_tasks.kind IS 'Unreachable: no letter reaches the owner. DisablePair: the pair still works after the whole ladder. Disputed: a contact took a confirmation back after the lift.';
COMMENT ON COLUMN operator_tasks.restriction_id IS 'What it is about.';
COMMENT ON COLUMN operator_tasks.created_at IS 'When it came up.';
COMMENT ON COLUMN operator_tasks.closed_at IS 'When it was closed.';
COMMENT ON COLUMN operator_tasks.closed_by IS 'operator:NAME.';
COMMENT ON COLUMN operator_tasks.remark IS 'What was done, in their words.';

ALTER TABLE operators DROP CONSTRAINT operators_role_check;
ALTER TABLE operators ADD CONSTRAINT operators_role_check CHECK (role IN ('service', 'viewer', 'operator'));
COMMENT ON COLUMN operators.role IS 'service reads notices and reports bounces; viewer reads; operator also reports, confirms and lifts.';
