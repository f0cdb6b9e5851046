-- The registry's position: what every change to it counts, the nodes that enforce it, and receipts.

-- The server's timeline changes when a standby is promoted. pg_control_checkpoint() still shows the previous one for
-- minutes after a promotion, so it is read from the name of the current WAL file.
CREATE FUNCTION registry_timeline() RETURNS integer
    LANGUAGE sql STABLE
    AS $$ SELECT ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::integer $$;
COMMENT ON FUNCTION registry_timeline IS 'The server''s timeline; an error on a standby.';

CREATE TABLE registry_revision (
    one_row boolean DEFAULT true CONSTRAINT registry_revision_pkey PRIMARY KEY
        CONSTRAINT registry_revision_one_row CHECK (one_row),
    history uuid NOT NULL DEFAULT gen_random_uuid(),
    revision bigint NOT NULL,
    parent uuid,
    fork_revision bigint NOT NULL DEFAULT 0,
    system_identifier bigint NOT NULL,
    timeline integer NOT NULL
);
COMMENT ON TABLE registry_revision IS 'One row: counts every change that a gateway node must learn of.';
COMMENT ON COLUMN registry_revision.one_row IS 'Always true, so that there is one row.';
COMMENT ON COLUMN registry_revision.history IS 'The history that the revision belongs to: another one after a failover, for commits may be lost and their revisions come again.';
COMMENT ON COLUMN registry_revision.revision IS 'Incremented first in the transaction that makes a change: commit order, without gaps.';
COMMENT ON COLUMN registry_revision.parent IS 'The history before; null for the first.';
COMMENT ON COLUMN registry_revision.fork_revision IS 'The last revision that this history shares with the one before.';
COMMENT ON COLUMN registry_revision.system_identifier IS 'The cluster in which the history was begun: another cluster is another history.';
COMMENT ON COLUMN registry_revision.timeline IS 'The timeline in which the history was begun: another timeline is another history.';

INSERT INTO registry_revision (revision, fork_revision, system_identifier, timeline)
SELECT 0, 0, system_identifier, registry_timeline()
FROM pg_control_system();

CREATE TABLE registry_additions (
    one_row boolean DEFAULT true CONSTRAINT registry_additions_pkey PRIMARY KEY
        CONSTRAINT registry_additions_one_row CHECK (one_row),
    addition bigint NOT NULL
);
COMMENT ON TABLE registry_additions IS 'One row: counts the batches of new AccessKeys and sessions, in the history of registry_revision. Nodes learn of them in this order; no permit names it.';
COMMENT ON COLUMN registry_additions.one_row IS 'Always true, so that there is one row.';
COMMENT ON COLUMN registry_additions.addition IS 'Incremented in the transaction that adds, which holds the row until its commit: commit order, without gaps.';

INSERT INTO registry_additions (addition) VALUES (0);

CREATE TABLE registry_histories (
    history uuid CONSTRAINT registry_histories_pkey PRIMARY KEY,
    parent uuid,
    fork_revision bigint NOT NULL,
    fork_addition bigint NOT NULL,
    is_settled boolean NOT NULL DEFAULT false,
    stamped_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE registry_histories IS 'Every history of the registry that this database has been through.';
COMMENT ON COLUMN registry_histories.history IS 'The history.';
COMMENT ON COLUMN registry_histories.parent IS 'The history before; null for the first.';
COMMENT ON COLUMN registry_histories.fork_revision IS 'The last revision that it shares with the one before.';
COMMENT ON COLUMN registry_histories.fork_addition IS 'The last addition that it shares with the one before, or an earlier one.';
COMMENT ON COLUMN registry_histories.is_settled IS 'Every lease of before it has ended: until then a barrier waits its whole time, for announcements may be lost.';
COMMENT ON COLUMN registry_histories.stamped_at IS 'When it began; to be read by people alone.';

INSERT INTO registry_histories (history, fork_revision, fork_addition, is_settled)
SELECT history, fork_revision, 0, true
FROM registry_revision;

CREATE TABLE registry_clock (
    one_row boolean DEFAULT true CONSTRAINT registry_clock_pkey PRIMARY KEY
        CONSTRAINT registry_clock_one_row CHECK (one_row),
    latest timestamptz NOT NULL
);
COMMENT ON TABLE registry_clock IS 'One row: a clock that steps back frees nothing.';
COMMENT ON COLUMN registry_clock.one_row IS 'Always true, so that there is one row.';
COMMENT ON COLUMN registry_clock.latest IS 'The latest time that both a node and the database have seen: what has ended by then has ended, whatever a clock says later.';

INSERT INTO registry_clock (latest) VALUES (to_timestamp(0));

CREATE TABLE nodes (
    node_id uuid CONSTRAINT nodes_pkey PRIMARY KEY,
    name text NOT NULL,
    version text NOT NULL,
    roles text[] NOT NULL,
    enforces boolean NOT NULL,
    seal_key_ids integer[] NOT NULL,
    started_at timestamptz NOT NULL,
    announcement uuid NOT NULL,
    fenced boolean NOT NULL,
    announced_at timestamptz NOT NULL,
    clock_offset_ms bigint,
    history uuid,
    applied bigint,
    drained_below bigint,
    calls_under_way jsonb
) WITH (fillfactor = 50);
COMMENT ON TABLE nodes IS 'The processes that serve: each announces itself every 500 ms before it takes a lease.';
COMMENT ON COLUMN nodes.node_id IS 'UUID version 4, another one at each start.';
COMMENT ON COLUMN nodes.name IS 'Host and process, for people.';
COMMENT ON COLUMN nodes.version IS 'Version of akgate.';
COMMENT ON COLUMN nodes.roles IS 'What it does.';
COMMENT ON COLUMN nodes.enforces IS 'Whether it judges calls: a barrier waits for these alone.';
COMMENT ON COLUMN nodes.seal_key_ids IS 'The keys of its key ring that seal, by id.';
COMMENT ON COLUMN nodes.started_at IS 'When it started, by its own clock; for people alone.';
COMMENT ON COLUMN nodes.announcement IS 'Its last announcement, random: one that a failover has lost is never made again.';
COMMENT ON COLUMN nodes.fenced IS 'A barrier has waited until every lease of it had ended: nobody waits for it until it announces itself again.';
COMMENT ON COLUMN nodes.announced_at IS 'When it last announced itself, by the database''s clock; for people alone.';
COMMENT ON COLUMN nodes.clock_offset_ms IS 'How far its clock is ahead of the database''s, in milliseconds.';
COMMENT ON COLUMN nodes.history IS 'The history of what it enforces.';
COMMENT ON COLUMN nodes.applied IS 'The revision up to which it enforces.';
COMMENT ON COLUMN nodes.drained_below IS 'Every call that was begun before this revision was enforced has ended.';
COMMENT ON COLUMN nodes.calls_under_way IS 'Calls of restricted keys that have their intent and no answer: [AccessKeyId of the root of the lineage, revision they were decided at].';

CREATE TABLE receipts (
    history uuid NOT NULL,
    revision bigint NOT NULL,
    nodes integer,
    fenced text[] NOT NULL,
    waited_ms bigint NOT NULL,
    calls_in_flight bigint,
    received_at timestamptz NOT NULL,
    CONSTRAINT receipts_pkey PRIMARY KEY (history, revision)
);
COMMENT ON TABLE receipts IS 'What every change that restricts ended with: where it is enforced.';
COMMENT ON COLUMN receipts.history IS 'The history of the change.';
COMMENT ON COLUMN receipts.revision IS 'The revision of the change.';
COMMENT ON COLUMN receipts.nodes IS 'How many nodes enforce it; null where the database could not be asked.';
COMMENT ON COLUMN receipts.fenced IS 'Nodes that have no lease, by name: they enforce it before they take one.';
COMMENT ON COLUMN receipts.waited_ms IS 'How long that took since the commit, in milliseconds.';
COMMENT ON COLUMN receipts.calls_in_flight IS 'Calls of the keys concerned that were under way; null where a node could not be asked.';
COMMENT ON COLUMN receipts.received_at IS 'When.';
