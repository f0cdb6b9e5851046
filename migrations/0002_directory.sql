-- The directory: a copy of the IAM's accounts, principals, AccessKeys and sessions.

CREATE TABLE accounts (
    account_id text CONSTRAINT accounts_pkey PRIMARY KEY,
    profile text CONSTRAINT accounts_profile_check CHECK (profile IN ('mutations', 'strict')),
    self_remedy boolean,
    created_at timestamptz NOT NULL,
    revision bigint NOT NULL DEFAULT 0
);
CREATE INDEX accounts_revision_idx ON accounts (revision);
COMMENT ON TABLE accounts IS 'Cloud accounts.';
COMMENT ON COLUMN accounts.account_id IS 'Decimal id of the account.';
COMMENT ON COLUMN accounts.profile IS 'What its restricted keys are refused; null for the configured default.';
COMMENT ON COLUMN accounts.self_remedy IS 'Whether its restricted keys may disable or delete themselves; null for the configured default.';
COMMENT ON COLUMN accounts.created_at IS 'When akgate first heard of the account.';
COMMENT ON COLUMN accounts.revision IS 'Revision of the last change of its profile or lane.';

CREATE TABLE contacts (
    contact_id uuid CONSTRAINT contacts_pkey PRIMARY KEY,
    account_id text NOT NULL CONSTRAINT contacts_account_fkey REFERENCES accounts,
    rank integer NOT NULL DEFAULT 1 CONSTRAINT contacts_rank_check CHECK (rank > 0),
    email text NOT NULL,
    language text NOT NULL CONSTRAINT contacts_language_check CHECK (language IN ('en', 'zh-CN')),
    unreachable_since timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT contacts_email_key UNIQUE (account_id, email)
);
COMMENT ON TABLE contacts IS 'Who gets letters when a key of the account leaks.';
COMMENT ON COLUMN contacts.contact_id IS 'Ours.';
COMMENT ON COLUMN contacts.account_id IS 'The account that the contact answers for.';
COMMENT ON COLUMN contacts.rank IS 'The contacts of the lowest rank are written to first; the next if no letter reaches them or nothing happens.';
COMMENT ON COLUMN contacts.email IS 'Address that letters go to.';
COMMENT ON COLUMN contacts.language IS 'Language of the letters.';
COMMENT ON COLUMN contacts.unreachable_since IS 'Since when letters come back; null while they arrive.';
COMMENT ON COLUMN contacts.created_at IS 'When it was added: a contact added after a leak may be the attacker''s.';

CREATE TABLE principals (
    principal_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT principals_pkey PRIMARY KEY,
    account_id text NOT NULL CONSTRAINT principals_account_fkey REFERENCES accounts,
    user_id text,
    user_name text CONSTRAINT principals_user_name_check CHECK (user_name <> ''),
    deleted_at timestamptz
);
CREATE UNIQUE INDEX principals_user_id_key ON principals (account_id, user_id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX principals_name_key ON principals (account_id, COALESCE(user_name, '')) WHERE deleted_at IS NULL;
CREATE INDEX principals_account_prefix_idx ON principals (account_id COLLATE "C");
CREATE INDEX principals_user_prefix_idx ON principals (user_name COLLATE "C") WHERE user_name IS NOT NULL;
COMMENT ON TABLE principals IS 'Who an AccessKey stands for.';
COMMENT ON COLUMN principals.principal_id IS 'Ours, not the IAM''s.';
COMMENT ON COLUMN principals.account_id IS 'The account that the principal belongs to.';
COMMENT ON COLUMN principals.user_id IS 'UserId of the IAM, where it is known; null for the account itself.';
COMMENT ON COLUMN principals.user_name IS 'Name of the RAM user; null for the account itself (its root key).';
COMMENT ON COLUMN principals.deleted_at IS 'When the user was deleted: a later user of that name is another one.';

CREATE TABLE access_keys (
    access_key_id text CONSTRAINT access_keys_pkey PRIMARY KEY,
    principal_id bigint NOT NULL CONSTRAINT access_keys_principal_fkey REFERENCES principals,
    status text NOT NULL CONSTRAINT access_keys_status_check CHECK (status IN ('Active', 'Inactive', 'Deleted')),
    disabled_at timestamptz,
    disabled_by text,
    sealed_secret bytea NOT NULL,
    seal_key_id integer NOT NULL,
    blind_index bytea NOT NULL,
    created_at timestamptz NOT NULL,
    created_by_access_key_id text,
    revision bigint NOT NULL,
    addition bigint NOT NULL DEFAULT 0,
    CONSTRAINT access_keys_disabled_check CHECK (
        (disabled_at IS NULL) = (disabled_by IS NULL)
        AND (disabled_at IS NULL OR status <> 'Active')
    )
);
CREATE INDEX access_keys_revision_idx ON access_keys (revision);
CREATE INDEX access_keys_addition_idx ON access_keys (addition);
CREATE INDEX access_keys_blind_index_idx ON access_keys (blind_index);
CREATE INDEX access_keys_created_by_idx ON access_keys (created_by_access_key_id) WHERE created_by_access_key_id IS NOT NULL;
CREATE INDEX access_keys_principal_idx ON access_keys (principal_id);
COMMENT ON TABLE access_keys IS 'AccessKeys; a deleted one stays, since a restriction outlives its key.';
COMMENT ON COLUMN access_keys.access_key_id IS 'The public half.';
COMMENT ON COLUMN access_keys.principal_id IS 'Who it stands for.';
COMMENT ON COLUMN access_keys.status IS 'Active, Inactive or Deleted.';
COMMENT ON COLUMN access_keys.disabled_at IS 'Since when operators hold it disabled; an import does not bring it back, its owner''s own call does.';
COMMENT ON COLUMN access_keys.disabled_by IS 'operator:NAME, who asked for it.';
COMMENT ON COLUMN access_keys.sealed_secret IS 'The secret half, sealed for this row.';
COMMENT ON COLUMN access_keys.seal_key_id IS 'Which key of the ring sealed it; re-sealing looks for old ones.';
COMMENT ON COLUMN access_keys.blind_index IS 'HMAC of the secret, so that a leaked secret alone can be found.';
COMMENT ON COLUMN access_keys.created_at IS 'When it was created, or first known to akgate.';
COMMENT ON COLUMN access_keys.created_by_access_key_id IS 'The AccessKey that created it; null if unknown.';
COMMENT ON COLUMN access_keys.revision IS 'Revision of its last change; 0 while it is as it was added.';
COMMENT ON COLUMN access_keys.addition IS 'The addition by which it became known; 0 if that took a revision.';

CREATE TABLE sessions (
    access_key_id text CONSTRAINT sessions_pkey PRIMARY KEY,
    account_id text NOT NULL,
    principal text NOT NULL,
    ancestors text[] NOT NULL,
    mint_histories uuid[] NOT NULL,
    mint_revisions bigint[] NOT NULL,
    account_ids text[] NOT NULL,
    origins text[] NOT NULL DEFAULT '{}',
    sealed_secret bytea NOT NULL,
    seal_key_id integer NOT NULL,
    blind_index bytea,
    token_sha256 bytea NOT NULL,
    minted_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    request_id uuid NOT NULL,
    addition bigint NOT NULL,
    CONSTRAINT sessions_lineage_check CHECK (cardinality(ancestors) = cardinality(mint_revisions) AND cardinality(ancestors) = cardinality(mint_histories))
);
CREATE INDEX sessions_addition_idx ON sessions (addition);
CREATE INDEX sessions_expires_idx ON sessions (expires_at);
CREATE INDEX sessions_ancestors_idx ON sessions USING gin (ancestors);
CREATE INDEX sessions_origins_idx ON sessions USING gin (origins);
CREATE INDEX sessions_blind_index_idx ON sessions (blind_index);
COMMENT ON TABLE sessions IS 'Sessions that were handed out, each under the key that minted it.';
COMMENT ON COLUMN sessions.access_key_id IS 'The public part, STS.…';
COMMENT ON COLUMN sessions.account_id IS 'The account of the role.';
COMMENT ON COLUMN sessions.principal IS 'ARN of the assumed role.';
COMMENT ON COLUMN sessions.ancestors IS 'The AccessKey that it descends from, then the sessions between; empty for a federated call.';
COMMENT ON COLUMN sessions.mint_histories IS 'For each ancestor, the history of that revision.';
COMMENT ON COLUMN sessions.mint_revisions IS 'For each ancestor, the revision at which it minted its descendant.';
COMMENT ON COLUMN sessions.account_ids IS 'Every account of the lineage, its own included.';
COMMENT ON COLUMN sessions.origins IS 'The roles and identity providers that it and the sessions before it came through, as creations names them; its own first.';
COMMENT ON COLUMN sessions.sealed_secret IS 'The secret part, sealed for this row.';
COMMENT ON COLUMN sessions.seal_key_id IS 'Which key of the ring sealed it.';
COMMENT ON COLUMN sessions.blind_index IS 'HMAC of the secret, so that a leaked one can be found; null for one that was kept before there was any.';
COMMENT ON COLUMN sessions.token_sha256 IS 'SHA-256 of its SecurityToken.';
COMMENT ON COLUMN sessions.minted_at IS 'When it was minted.';
COMMENT ON COLUMN sessions.expires_at IS 'When it ends.';
COMMENT ON COLUMN sessions.request_id IS 'The call that minted it.';
COMMENT ON COLUMN sessions.addition IS 'The addition by which it became known.';

CREATE TABLE creations (
    origin text NOT NULL,
    made text NOT NULL,
    request_id uuid NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    CONSTRAINT creations_pkey PRIMARY KEY (origin, made, request_id)
);
CREATE INDEX creations_made_idx ON creations (made);
CREATE INDEX creations_made_at_idx ON creations USING brin (made_at);
COMMENT ON TABLE creations IS 'What was made by what: the lineage of access keys, users, roles and identity providers. It outlives the intents and the sessions.';
COMMENT ON COLUMN creations.origin IS 'What made it: an AccessKeyId; or KIND:ACCOUNT/NAME in lower case, for what the key belongs to or the session came through: user, role, saml, oidc.';
COMMENT ON COLUMN creations.made IS 'What was made: an AccessKeyId, or KIND:ACCOUNT/NAME. A deleted user is NAME#ID.';
COMMENT ON COLUMN creations.request_id IS 'The call that made it; all zeros where an import told of it.';
COMMENT ON COLUMN creations.made_by IS 'The AccessKey or session that signed the call; empty where none did.';
COMMENT ON COLUMN creations.made_at IS 'When that call was received.';

CREATE TABLE key_ring_checks (
    key_id integer CONSTRAINT key_ring_checks_pkey PRIMARY KEY,
    check_value bytea NOT NULL
);
COMMENT ON TABLE key_ring_checks IS 'The key ring of this database: a node with another one does not start.';
COMMENT ON COLUMN key_ring_checks.key_id IS 'The id of a seal key; 0 for the index key.';
COMMENT ON COLUMN key_ring_checks.check_value IS 'MAC of a constant under the key: it tells two keys apart and opens nothing.';
