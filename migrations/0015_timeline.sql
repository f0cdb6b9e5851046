-- A restriction's history is read by it.

CREATE INDEX refusals_restriction_idx ON refusals (restriction_id, refused_at) WHERE restriction_id IS NOT NULL;
CREATE INDEX approvals_subject_idx ON approvals (subject_id);
