-- A file of a million reports is one transaction for each 5,000: what each row costs counts.

-- Checked row by row, it was a sixth of an import; a delivery is written before its reports, in their transaction or an
-- earlier one, and never deleted.
ALTER TABLE leak_reports DROP CONSTRAINT leak_reports_delivery_fkey;
COMMENT ON COLUMN leak_reports.delivery_id IS 'What it arrived with (deliveries.delivery_id); null where it arrived alone. No foreign key: that would be checked row by row.';

-- Suspicions restrict nothing, and are the most.
DROP INDEX leak_reports_restriction_idx;
CREATE INDEX leak_reports_restriction_idx ON leak_reports (restriction_id) WHERE restriction_id IS NOT NULL;
