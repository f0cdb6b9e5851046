-- The sandbox made wide: groups, versions of policies, one table of attachments, login profiles, tags, the
-- recycle bin.

ALTER TABLE sandbox.access_keys
    ADD COLUMN last_used_at timestamptz,
    ADD COLUMN last_used_product text;
COMMENT ON COLUMN sandbox.access_keys.last_used_at IS 'LastUsedDate, to the minute; null before the first call.';
COMMENT ON COLUMN sandbox.access_keys.last_used_product IS 'ServiceName: the product that was called.';

CREATE TABLE sandbox.recycled_keys (
    access_key_id text CONSTRAINT sandbox_recycled_keys_pkey PRIMARY KEY,
    user_id bigint NOT NULL CONSTRAINT sandbox_recycled_keys_user_fkey REFERENCES sandbox.users ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    recycled_at timestamptz NOT NULL
);
CREATE INDEX sandbox_recycled_keys_user_idx ON sandbox.recycled_keys (user_id);
COMMENT ON TABLE sandbox.recycled_keys IS 'AccessKey pairs of RAM users that were deleted and can be brought back.';
COMMENT ON COLUMN sandbox.recycled_keys.access_key_id IS 'AccessKeyId.';
COMMENT ON COLUMN sandbox.recycled_keys.user_id IS 'The RAM user; keys of the account itself are not kept.';
COMMENT ON COLUMN sandbox.recycled_keys.created_at IS 'CreateDate.';
COMMENT ON COLUMN sandbox.recycled_keys.recycled_at IS 'RecycleDate.';

ALTER TABLE sandbox.roles ADD COLUMN updated_at timestamptz;
UPDATE sandbox.roles SET updated_at = created_at;
ALTER TABLE sandbox.roles ALTER COLUMN updated_at SET NOT NULL;
COMMENT ON COLUMN sandbox.roles.updated_at IS 'UpdateDate.';

CREATE TABLE sandbox.groups (
    group_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT sandbox_groups_pkey PRIMARY KEY,
    account_id text NOT NULL CONSTRAINT sandbox_groups_account_fkey REFERENCES sandbox.accounts,
    group_name text NOT NULL,
    comments text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT sandbox_groups_name_key UNIQUE (account_id, group_name)
);
COMMENT ON TABLE sandbox.groups IS 'RAM user groups.';
COMMENT ON COLUMN sandbox.groups.group_id IS 'GroupId, without its g-.';
COMMENT ON COLUMN sandbox.groups.account_id IS 'The account that the group belongs to.';
COMMENT ON COLUMN sandbox.groups.group_name IS 'GroupName.';
COMMENT ON COLUMN sandbox.groups.comments IS 'Comments.';
COMMENT ON COLUMN sandbox.groups.created_at IS 'CreateDate.';
COMMENT ON COLUMN sandbox.groups.updated_at IS 'UpdateDate.';

CREATE TABLE sandbox.group_members (
    group_id bigint NOT NULL CONSTRAINT sandbox_group_members_group_fkey REFERENCES sandbox.groups,
    user_id bigint NOT NULL CONSTRAINT sandbox_group_members_user_fkey REFERENCES sandbox.users,
    joined_at timestamptz NOT NULL,
    CONSTRAINT sandbox_group_members_pkey PRIMARY KEY (group_id, user_id)
);
CREATE INDEX sandbox_group_members_user_idx ON sandbox.group_members (user_id);
COMMENT ON TABLE sandbox.group_members IS 'Which user is in which group.';
COMMENT ON COLUMN sandbox.group_members.group_id IS 'The group.';
COMMENT ON COLUMN sandbox.group_members.user_id IS 'The user.';
COMMENT ON COLUMN sandbox.group_members.joined_at IS 'JoinDate.';

CREATE TABLE sandbox.login_profiles (
    user_id bigint CONSTRAINT sandbox_login_profiles_pkey PRIMARY KEY
        CONSTRAINT sandbox_login_profiles_user_fkey REFERENCES sandbox.users,
    password_reset_required boolean NOT NULL,
    mfa_bind_required boolean NOT NULL,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE sandbox.login_profiles IS 'Console log-ins of RAM users. The password is looked at and kept nowhere.';
COMMENT ON COLUMN sandbox.login_profiles.user_id IS 'The user.';
COMMENT ON COLUMN sandbox.login_profiles.password_reset_required IS 'PasswordResetRequired.';
COMMENT ON COLUMN sandbox.login_profiles.mfa_bind_required IS 'MFABindRequired.';
COMMENT ON COLUMN sandbox.login_profiles.created_at IS 'CreateDate.';

ALTER TABLE sandbox.policies
    ADD COLUMN default_version integer NOT NULL DEFAULT 1,
    ADD COLUMN last_version integer NOT NULL DEFAULT 1,
    ADD COLUMN created_at timestamptz NOT NULL DEFAULT 'epoch',
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT 'epoch';
ALTER TABLE sandbox.policies
    ALTER COLUMN default_version DROP DEFAULT,
    ALTER COLUMN last_version DROP DEFAULT,
    ALTER COLUMN created_at DROP DEFAULT,
    ALTER COLUMN updated_at DROP DEFAULT;
COMMENT ON COLUMN sandbox.policies.default_version IS 'DefaultVersion, without its v.';
COMMENT ON COLUMN sandbox.policies.last_version IS 'The newest version that was ever made: numbers are not used again.';
COMMENT ON COLUMN sandbox.policies.created_at IS 'CreateDate.';
COMMENT ON COLUMN sandbox.policies.updated_at IS 'UpdateDate.';

CREATE TABLE sandbox.policy_versions (
    policy_id bigint NOT NULL
        CONSTRAINT sandbox_policy_versions_policy_fkey REFERENCES sandbox.policies ON DELETE CASCADE,
    version integer NOT NULL,
    document text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT sandbox_policy_versions_pkey PRIMARY KEY (policy_id, version)
);
COMMENT ON TABLE sandbox.policy_versions IS 'What policies say and have said.';
COMMENT ON COLUMN sandbox.policy_versions.policy_id IS 'The policy.';
COMMENT ON COLUMN sandbox.policy_versions.version IS 'VersionId, without its v.';
COMMENT ON COLUMN sandbox.policy_versions.document IS 'PolicyDocument.';
COMMENT ON COLUMN sandbox.policy_versions.created_at IS 'CreateDate.';
INSERT INTO sandbox.policy_versions (policy_id, version, document, created_at)
SELECT policy_id, 1, document, created_at FROM sandbox.policies;
ALTER TABLE sandbox.policies DROP COLUMN document;

CREATE TABLE sandbox.attachments (
    policy_id bigint NOT NULL CONSTRAINT sandbox_attachments_policy_fkey REFERENCES sandbox.policies,
    user_id bigint CONSTRAINT sandbox_attachments_user_fkey REFERENCES sandbox.users,
    role_id bigint CONSTRAINT sandbox_attachments_role_fkey REFERENCES sandbox.roles,
    group_id bigint CONSTRAINT sandbox_attachments_group_fkey REFERENCES sandbox.groups,
    attached_at timestamptz NOT NULL,
    CONSTRAINT sandbox_attachments_holder_check CHECK (num_nonnulls(user_id, role_id, group_id) = 1),
    CONSTRAINT sandbox_attachments_key UNIQUE NULLS NOT DISTINCT (policy_id, user_id, role_id, group_id)
);
CREATE INDEX sandbox_attachments_user_idx ON sandbox.attachments (user_id);
CREATE INDEX sandbox_attachments_role_idx ON sandbox.attachments (role_id);
CREATE INDEX sandbox_attachments_group_idx ON sandbox.attachments (group_id);
COMMENT ON TABLE sandbox.attachments IS 'Policies attached to a user, a role or a group.';
COMMENT ON COLUMN sandbox.attachments.policy_id IS 'The policy.';
COMMENT ON COLUMN sandbox.attachments.user_id IS 'The user, if it is one.';
COMMENT ON COLUMN sandbox.attachments.role_id IS 'The role, if it is one.';
COMMENT ON COLUMN sandbox.attachments.group_id IS 'The group, if it is one.';
COMMENT ON COLUMN sandbox.attachments.attached_at IS 'AttachDate.';
INSERT INTO sandbox.attachments (policy_id, user_id, attached_at)
SELECT policy_id, user_id, attached_at FROM sandbox.user_policies;
INSERT INTO sandbox.attachments (policy_id, role_id, attached_at)
SELECT policy_id, role_id, attached_at FROM sandbox.role_policies;
DROP TABLE sandbox.user_policies, sandbox.role_policies;

CREATE TABLE sandbox.tags (
    user_id bigint CONSTRAINT sandbox_tags_user_fkey REFERENCES sandbox.users ON DELETE CASCADE,
    role_id bigint CONSTRAINT sandbox_tags_role_fkey REFERENCES sandbox.roles ON DELETE CASCADE,
    policy_id bigint CONSTRAINT sandbox_tags_policy_fkey REFERENCES sandbox.policies ON DELETE CASCADE,
    tag_key text NOT NULL,
    tag_value text NOT NULL,
    CONSTRAINT sandbox_tags_resource_check CHECK (num_nonnulls(user_id, role_id, policy_id) = 1),
    CONSTRAINT sandbox_tags_key UNIQUE NULLS NOT DISTINCT (user_id, role_id, policy_id, tag_key)
);
COMMENT ON TABLE sandbox.tags IS 'Tags of users, roles and policies.';
COMMENT ON COLUMN sandbox.tags.user_id IS 'The user, if it is one.';
COMMENT ON COLUMN sandbox.tags.role_id IS 'The role, if it is one.';
COMMENT ON COLUMN sandbox.tags.policy_id IS 'The policy, if it is one.';
COMMENT ON COLUMN sandbox.tags.tag_key IS 'TagKey.';
COMMENT ON COLUMN sandbox.tags.tag_value IS 'TagValue.';
