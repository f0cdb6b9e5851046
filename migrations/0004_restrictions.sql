-- Restrictions of leaked AccessKeys, their confirmations and exceptions.

CREATE TABLE restrictions (
    restriction_id uuid CONSTRAINT restrictions_pkey PRIMARY KEY,
    access_key_id text NOT NULL,
    state text NOT NULL CONSTRAINT restrictions_state_check CHECK (state IN ('Imposed', 'Confirmed', 'Lifted')),
    cause text NOT NULL CONSTRAINT restrictions_cause_check CHECK (cause IN ('Reported', 'Reactivated', 'Descendant')),
    imposed_at timestamptz NOT NULL,
    notified_at timestamptz,
    reminders integer NOT NULL DEFAULT 0,
    widened_at timestamptz,
    next_contacts_at timestamptz,
    disabling_proposed_at timestamptz,
    next_check_at timestamptz,
    confirmed_at timestamptz,
    confirmed_by text,
    ticket text,
    lifted_at timestamptz,
    lifted_by text,
    approved_by text,
    resolution text
        CONSTRAINT restrictions_resolution_check CHECK (resolution IN ('Rotated', 'Disabled', 'Deleted', 'FalsePositive', 'UsedInTests', 'AcceptedRisk')),
    lift_reason text,
    lifted_history uuid,
    lifted_revision bigint,
    tombstone boolean NOT NULL DEFAULT false,
    ancestor_id uuid CONSTRAINT restrictions_ancestor_fkey REFERENCES restrictions,
    descendants_since timestamptz,
    revision bigint NOT NULL,
    CONSTRAINT restrictions_ancestor_check CHECK ((cause = 'Descendant') = (ancestor_id IS NOT NULL)),
    CONSTRAINT restrictions_lift_check CHECK ((state = 'Lifted') = (lifted_at IS NOT NULL AND lifted_by IS NOT NULL AND lift_reason IS NOT NULL AND lifted_revision IS NOT NULL)),
    CONSTRAINT restrictions_tombstone_check CHECK (NOT tombstone OR state = 'Lifted'),
    CONSTRAINT restrictions_confirmation_check CHECK (state <> 'Confirmed' OR (confirmed_at IS NOT NULL AND confirmed_by IS NOT NULL)),
    CONSTRAINT restrictions_lifted_history_check CHECK ((lifted_revision IS NULL) = (lifted_history IS NULL))
);
CREATE UNIQUE INDEX restrictions_in_force_key ON restrictions (access_key_id) WHERE state <> 'Lifted';
CREATE INDEX restrictions_key_idx ON restrictions (access_key_id);
CREATE INDEX restrictions_revision_idx ON restrictions (revision);
CREATE INDEX restrictions_next_check_idx ON restrictions (next_check_at) WHERE state <> 'Lifted';
CREATE INDEX restrictions_ancestor_idx ON restrictions (ancestor_id) WHERE ancestor_id IS NOT NULL;
CREATE INDEX restrictions_descendants_idx ON restrictions (access_key_id) WHERE descendants_since IS NOT NULL AND state <> 'Lifted';
CREATE INDEX restrictions_key_prefix_idx ON restrictions (access_key_id COLLATE "C");
CREATE INDEX restrictions_ticket_prefix_idx ON restrictions (ticket COLLATE "C") WHERE ticket IS NOT NULL;
COMMENT ON TABLE restrictions IS 'Restrictive protection of a leaked AccessKey: at most one in force per key.';
COMMENT ON COLUMN restrictions.restriction_id IS 'UUID version 7.';
COMMENT ON COLUMN restrictions.access_key_id IS 'The key, known to the directory or not; the restriction outlives it.';
COMMENT ON COLUMN restrictions.state IS 'Imposed; Confirmed: the owner says that the key is cleaned up; Lifted.';
COMMENT ON COLUMN restrictions.cause IS 'Reported: a leak report. Reactivated: a key that was not active when its restriction was lifted works again. Descendant: a restricted key made it.';
COMMENT ON COLUMN restrictions.imposed_at IS 'Since when it is in force.';
COMMENT ON COLUMN restrictions.notified_at IS 'When the first letter about it was sent: the escalation ladder counts from here.';
COMMENT ON COLUMN restrictions.reminders IS 'Reminders that are over.';
COMMENT ON COLUMN restrictions.widened_at IS 'Since when sensitive reads are refused as well.';
COMMENT ON COLUMN restrictions.next_contacts_at IS 'When the contacts of the next rank were written to.';
COMMENT ON COLUMN restrictions.disabling_proposed_at IS 'When operators were asked to disable the key.';
COMMENT ON COLUMN restrictions.next_check_at IS 'When its facts are looked at next; null until the first letter was sent.';
COMMENT ON COLUMN restrictions.confirmed_at IS 'When the clean-up was confirmed.';
COMMENT ON COLUMN restrictions.confirmed_by IS 'Who confirmed: contact:ID or operator:NAME.';
COMMENT ON COLUMN restrictions.ticket IS 'Ticket number, where an operator recorded the confirmation.';
COMMENT ON COLUMN restrictions.lifted_at IS 'When it ended.';
COMMENT ON COLUMN restrictions.lifted_by IS 'Who lifted it: operator:NAME, or policy.';
COMMENT ON COLUMN restrictions.approved_by IS 'operator:NAME of the second operator, where the lift took two.';
COMMENT ON COLUMN restrictions.resolution IS 'How it was resolved; null while it is in force.';
COMMENT ON COLUMN restrictions.lift_reason IS 'Why, in the operator''s words.';
COMMENT ON COLUMN restrictions.lifted_history IS 'The history of lifted_revision.';
COMMENT ON COLUMN restrictions.lifted_revision IS 'Sessions minted before this revision stay restricted; 0 where its delivery was undone: none does.';
COMMENT ON COLUMN restrictions.tombstone IS 'The key was not active when the restriction was lifted: if it is activated again, it is restricted again.';
COMMENT ON COLUMN restrictions.ancestor_id IS 'The restriction of the key that it descends from; null where the key itself leaked.';
COMMENT ON COLUMN restrictions.descendants_since IS 'What the key made since then is restricted as it becomes known; null: what it made stays free.';
COMMENT ON COLUMN restrictions.revision IS 'Revision of its last change.';

-- Climbs from what becomes known to what made it, and no further than what an operator has freed while its ancestor is
-- restricted.
CREATE FUNCTION restricting_ancestor(things text[]) RETURNS uuid
    LANGUAGE sql STABLE
    AS $$
        WITH RECURSIVE climb (thing, made_at) AS (
            SELECT thing, 'infinity'::timestamptz
            FROM unnest(things) AS n (thing)
            WHERE EXISTS (SELECT 1 FROM restrictions WHERE descendants_since IS NOT NULL AND state <> 'Lifted')
            UNION
            SELECT c.origin, c.made_at
            FROM climb
            JOIN creations c ON c.made = climb.thing
            WHERE NOT EXISTS (
                SELECT 1
                FROM restrictions r
                JOIN restrictions a ON a.restriction_id = r.ancestor_id
                WHERE r.access_key_id = climb.thing
                  AND r.state = 'Lifted'
                  AND a.state <> 'Lifted'
            )
        )
        SELECT COALESCE(r.ancestor_id, r.restriction_id)
        FROM climb
        JOIN restrictions r ON r.access_key_id = climb.thing
        WHERE r.descendants_since <= climb.made_at
          AND r.state <> 'Lifted'
        ORDER BY r.restriction_id
        LIMIT 1
    $$;
COMMENT ON FUNCTION restricting_ancestor IS 'The restriction that reaches what descends from these, as creations names them; null for none. Costs one look at an index while no restriction reaches descendants.';

CREATE TABLE leak_reports (
    report_id uuid CONSTRAINT leak_reports_pkey PRIMARY KEY,
    source text NOT NULL,
    origin bytea NOT NULL,
    reference text NOT NULL,
    delivery_id uuid,
    access_key_id text,
    parent_access_key_id text,
    proof text NOT NULL
        CONSTRAINT leak_reports_proof_check CHECK (proof IN ('Suspected', 'Secret', 'IdAndSecret', 'Decided')),
    secret_digest bytea,
    secret_matches boolean,
    url text,
    commit_id text,
    path text,
    first_seen timestamptz,
    held boolean NOT NULL DEFAULT false,
    restriction_id uuid CONSTRAINT leak_reports_restriction_fkey REFERENCES restrictions,
    reported_at timestamptz NOT NULL,
    reported_by text NOT NULL,
    subject text NOT NULL GENERATED ALWAYS AS (COALESCE(access_key_id, encode(secret_digest, 'hex'))) STORED,
    CONSTRAINT leak_reports_sighting_key UNIQUE (source, origin, subject),
    CONSTRAINT leak_reports_found_check CHECK (access_key_id IS NOT NULL OR secret_digest IS NOT NULL),
    CONSTRAINT leak_reports_restricts_check CHECK ((proof = 'Suspected') = (restriction_id IS NULL))
);
CREATE INDEX leak_reports_unmatched_idx ON leak_reports (secret_digest) WHERE access_key_id IS NULL;
CREATE INDEX leak_reports_delivery_idx ON leak_reports (delivery_id);
CREATE INDEX leak_reports_key_idx ON leak_reports (access_key_id);
CREATE INDEX leak_reports_restriction_idx ON leak_reports (restriction_id, report_id) WHERE restriction_id IS NOT NULL;
CREATE INDEX leak_reports_url_prefix_idx ON leak_reports ((left(url, 200)) COLLATE "C") WHERE restriction_id IS NOT NULL AND url IS NOT NULL;
CREATE INDEX leak_reports_reference_prefix_idx ON leak_reports ((left(reference, 200)) COLLATE "C") WHERE restriction_id IS NOT NULL;
COMMENT ON TABLE leak_reports IS 'What was seen where: each sighting once, by its source, origin and subject.';
COMMENT ON COLUMN leak_reports.report_id IS 'UUID version 7.';
COMMENT ON COLUMN leak_reports.source IS 'Who found it: github, operator, …';
COMMENT ON COLUMN leak_reports.origin IS 'SHA-256 of the reference that the source gave, or else of URL, commit and path as they were given.';
COMMENT ON COLUMN leak_reports.reference IS 'The source''s own id of the finding, without fragments of secrets, or the origin in hexadecimal digits.';
COMMENT ON COLUMN leak_reports.delivery_id IS 'What it arrived with (deliveries.delivery_id); null where it arrived alone. No foreign key: that would be checked row by row.';
COMMENT ON COLUMN leak_reports.access_key_id IS 'The key or session that was found; null for a secret that is nobody''s.';
COMMENT ON COLUMN leak_reports.parent_access_key_id IS 'The AccessKey that a found session descends from, which is what is restricted.';
COMMENT ON COLUMN leak_reports.proof IS 'Suspected: the id alone, or a secret that is nobody''s. Secret: found by its digest. IdAndSecret: both were found. Decided: by an operator.';
COMMENT ON COLUMN leak_reports.secret_digest IS 'Keyed digest of the leaked secret, which itself is never stored.';
COMMENT ON COLUMN leak_reports.secret_matches IS 'Whether that secret is the key''s; null where either is unknown.';
COMMENT ON COLUMN leak_reports.url IS 'Where it was found.';
COMMENT ON COLUMN leak_reports.commit_id IS 'In which commit.';
COMMENT ON COLUMN leak_reports.path IS 'In which file.';
COMMENT ON COLUMN leak_reports.first_seen IS 'When the source first saw it.';
COMMENT ON COLUMN leak_reports.held IS 'A suspicion that came while its source was paused: no letter is sent before an operator ends the pause.';
COMMENT ON COLUMN leak_reports.restriction_id IS 'The restriction that it led to, or joined; null while it is suspected alone.';
COMMENT ON COLUMN leak_reports.reported_at IS 'When it reached us.';
COMMENT ON COLUMN leak_reports.reported_by IS 'Operator or source that delivered it.';
COMMENT ON COLUMN leak_reports.subject IS 'The key, or the digest of a secret that is nobody''s: what was found, as part of what makes two reports the same.';

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
COMMENT ON TABLE acknowledgements IS 'What the leaked key created or changed and the owner has reviewed.';
COMMENT ON COLUMN acknowledgements.restriction_id IS 'Whose key.';
COMMENT ON COLUMN acknowledgements.artefact IS 'call:REQUEST_ID or session:ID.';
COMMENT ON COLUMN acknowledgements.acknowledged_at IS 'When.';
COMMENT ON COLUMN acknowledgements.acknowledged_by IS 'contact:ID.';

CREATE TABLE confirmation_links (
    token_sha256 bytea CONSTRAINT confirmation_links_pkey PRIMARY KEY,
    purpose text NOT NULL CONSTRAINT confirmation_links_purpose_check CHECK (purpose IN ('Confirm', 'Withdraw')),
    restriction_id uuid NOT NULL CONSTRAINT confirmation_links_restriction_fkey REFERENCES restrictions,
    contact_id uuid NOT NULL CONSTRAINT confirmation_links_contact_fkey REFERENCES contacts,
    generation integer NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT confirmation_links_generation_key UNIQUE (restriction_id, contact_id, generation)
);
COMMENT ON TABLE confirmation_links IS 'Links in letters, each for one contact, usable once.';
COMMENT ON COLUMN confirmation_links.token_sha256 IS 'SHA-256 of the token; the token is derived when the letter is sent and stored nowhere.';
COMMENT ON COLUMN confirmation_links.purpose IS 'Confirm the clean-up, or withdraw a confirmation.';
COMMENT ON COLUMN confirmation_links.restriction_id IS 'What it confirms.';
COMMENT ON COLUMN confirmation_links.contact_id IS 'Whose it is.';
COMMENT ON COLUMN confirmation_links.generation IS 'Counts the links of one contact for one restriction, from 1.';
COMMENT ON COLUMN confirmation_links.expires_at IS 'Until when it works.';
COMMENT ON COLUMN confirmation_links.used_at IS 'When it was used.';

CREATE TABLE exceptions (
    exception_id uuid CONSTRAINT exceptions_pkey PRIMARY KEY,
    restriction_id uuid NOT NULL CONSTRAINT exceptions_restriction_fkey REFERENCES restrictions,
    operations text[] NOT NULL CONSTRAINT exceptions_operations_check CHECK (cardinality(operations) > 0),
    networks text[] NOT NULL CONSTRAINT exceptions_networks_check CHECK (cardinality(networks) > 0),
    reason text NOT NULL,
    requested_by text NOT NULL,
    approved_by text NOT NULL,
    approved_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_by text,
    revision bigint NOT NULL,
    CONSTRAINT exceptions_four_eyes_check CHECK (approved_by <> requested_by),
    CONSTRAINT exceptions_length_check CHECK (expires_at > approved_at AND expires_at <= approved_at + interval '72 hours'),
    CONSTRAINT exceptions_revoked_check CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE INDEX exceptions_restriction_idx ON exceptions (restriction_id);
CREATE INDEX exceptions_revision_idx ON exceptions (revision);
COMMENT ON TABLE exceptions IS 'What a restricted key may do all the same, from where, and until when. Of its restriction alone: a new leak has none.';
COMMENT ON COLUMN exceptions.exception_id IS 'UUID version 7.';
COMMENT ON COLUMN exceptions.restriction_id IS 'From which restriction.';
COMMENT ON COLUMN exceptions.operations IS 'PRODUCT:Action, each exact.';
COMMENT ON COLUMN exceptions.networks IS 'CIDR.';
COMMENT ON COLUMN exceptions.reason IS 'Why, in the words of the operator who requested it.';
COMMENT ON COLUMN exceptions.requested_by IS 'operator:NAME.';
COMMENT ON COLUMN exceptions.approved_by IS 'operator:NAME of another operator.';
COMMENT ON COLUMN exceptions.approved_at IS 'Since when it applies.';
COMMENT ON COLUMN exceptions.expires_at IS 'When it ends: at most 72 hours after it was approved.';
COMMENT ON COLUMN exceptions.revoked_at IS 'When it was ended early.';
COMMENT ON COLUMN exceptions.revoked_by IS 'operator:NAME.';
COMMENT ON COLUMN exceptions.revision IS 'Revision of its last change.';

CREATE TABLE policy_switch (
    one_row boolean DEFAULT true CONSTRAINT policy_switch_pkey PRIMARY KEY
        CONSTRAINT policy_switch_one_row CHECK (one_row),
    mode text CONSTRAINT policy_switch_mode_check CHECK (mode IN ('enforce', 'shadow', 'off')),
    reason text,
    requested_by text,
    approved_by text,
    switched_at timestamptz,
    revision bigint NOT NULL,
    CONSTRAINT policy_switch_four_eyes_check CHECK (approved_by <> requested_by)
);
COMMENT ON TABLE policy_switch IS 'The mode that operators have switched to; one row.';
COMMENT ON COLUMN policy_switch.one_row IS 'There is one row.';
COMMENT ON COLUMN policy_switch.mode IS 'At every node, in place of the configured one; null for what each is configured to.';
COMMENT ON COLUMN policy_switch.reason IS 'Why, in the words of the operator who requested it.';
COMMENT ON COLUMN policy_switch.requested_by IS 'operator:NAME.';
COMMENT ON COLUMN policy_switch.approved_by IS 'operator:NAME of another operator.';
COMMENT ON COLUMN policy_switch.switched_at IS 'When.';
COMMENT ON COLUMN policy_switch.revision IS 'Revision of the last switch.';

INSERT INTO policy_switch (revision) VALUES (0);
