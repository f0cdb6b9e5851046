-- IMS names users by UserId too: what is done to one under its id alone must be understood.

ALTER TABLE principals ADD COLUMN user_id text;
CREATE UNIQUE INDEX principals_user_id_key ON principals (account_id, user_id) WHERE deleted_at IS NULL;
COMMENT ON COLUMN principals.user_id IS 'UserId of the IAM, where it is known; null for the account itself.';
