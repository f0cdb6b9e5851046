-- Why a call was refused, as it was decided.

ALTER TABLE refusals
    ADD COLUMN profile text CONSTRAINT refusals_profile_check CHECK (profile IN ('mutations', 'strict')),
    ADD COLUMN revision bigint;
COMMENT ON COLUMN refusals.profile IS 'The profile by which it was decided; null where it was decided before this was kept.';
COMMENT ON COLUMN refusals.revision IS 'The revision of the registry that the node knew; null where it was decided before this was kept.';
