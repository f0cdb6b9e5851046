-- A principal is found by equality, the account itself included: an import of a million keys joins on it.

DROP INDEX principals_name_key;
CREATE UNIQUE INDEX principals_name_key ON principals (account_id, COALESCE(user_name, '')) WHERE deleted_at IS NULL;
