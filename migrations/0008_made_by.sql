-- What a leaked key made is asked for: by operators, and for letters.

CREATE INDEX access_keys_made_by_idx ON access_keys (made_by_access_key_id) WHERE made_by_access_key_id IS NOT NULL;
