-- The sandbox: what an IAM keeps, in a schema of its own. akgate's own tables and these do not touch each other.

CREATE SCHEMA sandbox;
COMMENT ON SCHEMA sandbox IS 'State of the sandbox upstream, for demos and tests.';

CREATE TABLE sandbox.accounts (
    account_id text CONSTRAINT sandbox_accounts_pkey PRIMARY KEY,
    alias text CONSTRAINT sandbox_accounts_alias_key UNIQUE,
    default_domain text,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE sandbox.accounts IS 'Cloud accounts.';
COMMENT ON COLUMN sandbox.accounts.account_id IS 'Decimal id of the account.';
COMMENT ON COLUMN sandbox.accounts.alias IS 'AccountAlias; null if none is set.';
COMMENT ON COLUMN sandbox.accounts.default_domain IS 'DefaultDomainName; null for ACCOUNT.onaliyun.com.';
COMMENT ON COLUMN sandbox.accounts.created_at IS 'When it was created.';

CREATE TABLE sandbox.users (
    user_id bigint GENERATED ALWAYS AS IDENTITY (START WITH 200000000000001001)
        CONSTRAINT sandbox_users_pkey PRIMARY KEY,
    account_id text NOT NULL CONSTRAINT sandbox_users_account_fkey REFERENCES sandbox.accounts,
    user_name text NOT NULL,
    display_name text NOT NULL,
    mobile_phone text NOT NULL,
    email text NOT NULL,
    comments text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT sandbox_users_name_key UNIQUE (account_id, user_name)
);
COMMENT ON TABLE sandbox.users IS 'RAM users.';
COMMENT ON COLUMN sandbox.users.user_id IS 'UserId.';
COMMENT ON COLUMN sandbox.users.account_id IS 'The account that the user belongs to.';
COMMENT ON COLUMN sandbox.users.user_name IS 'UserName; of IMS, the part of UserPrincipalName before @.';
COMMENT ON COLUMN sandbox.users.display_name IS 'DisplayName.';
COMMENT ON COLUMN sandbox.users.mobile_phone IS 'MobilePhone.';
COMMENT ON COLUMN sandbox.users.email IS 'Email.';
COMMENT ON COLUMN sandbox.users.comments IS 'Comments.';
COMMENT ON COLUMN sandbox.users.created_at IS 'CreateDate.';
COMMENT ON COLUMN sandbox.users.updated_at IS 'UpdateDate.';

CREATE TABLE sandbox.recycled_users (
    user_id bigint CONSTRAINT sandbox_recycled_users_pkey PRIMARY KEY,
    account_id text NOT NULL CONSTRAINT sandbox_recycled_users_account_fkey REFERENCES sandbox.accounts,
    user_name text NOT NULL,
    display_name text NOT NULL,
    mobile_phone text NOT NULL,
    email text NOT NULL,
    comments text NOT NULL,
    created_at timestamptz NOT NULL,
    recycled_at timestamptz NOT NULL
);
CREATE INDEX sandbox_recycled_users_account_idx ON sandbox.recycled_users (account_id);
COMMENT ON TABLE sandbox.recycled_users IS 'RAM users that were deleted and can be restored.';
COMMENT ON COLUMN sandbox.recycled_users.user_id IS 'UserId; the restored user has it again.';
COMMENT ON COLUMN sandbox.recycled_users.account_id IS 'The account that the user belonged to.';
COMMENT ON COLUMN sandbox.recycled_users.user_name IS 'UserName.';
COMMENT ON COLUMN sandbox.recycled_users.display_name IS 'DisplayName.';
COMMENT ON COLUMN sandbox.recycled_users.mobile_phone IS 'MobilePhone.';
COMMENT ON COLUMN sandbox.recycled_users.email IS 'Email.';
COMMENT ON COLUMN sandbox.recycled_users.comments IS 'Comments.';
COMMENT ON COLUMN sandbox.recycled_users.created_at IS 'CreateDate.';
COMMENT ON COLUMN sandbox.recycled_users.recycled_at IS 'RecycleDate.';

CREATE TABLE sandbox.groups (
    group_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT sandbox_groups_pkey PRIMARY KEY,
    account_id text NOT NULL CONSTRAINT sandbox_groups_account_fkey REFERENCES sandbox.accounts,
    group_name text NOT NULL,
    display_name text NOT NULL,
    comments text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT sandbox_groups_name_key UNIQUE (account_id, group_name)
);
COMMENT ON TABLE sandbox.groups IS 'RAM user groups.';
COMMENT ON COLUMN sandbox.groups.group_id IS 'GroupId, without its g-.';
COMMENT ON COLUMN sandbox.groups.account_id IS 'The account that the group belongs to.';
COMMENT ON COLUMN sandbox.groups.group_name IS 'GroupName.';
COMMENT ON COLUMN sandbox.groups.display_name IS 'DisplayName, which IMS alone has.';
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

CREATE TABLE sandbox.roles (
    role_id bigint GENERATED ALWAYS AS IDENTITY (START WITH 300000000000001001)
        CONSTRAINT sandbox_roles_pkey PRIMARY KEY,
    account_id text NOT NULL CONSTRAINT sandbox_roles_account_fkey REFERENCES sandbox.accounts,
    role_name text NOT NULL,
    description text NOT NULL,
    trust jsonb NOT NULL,
    trust_text text NOT NULL,
    max_session_duration integer NOT NULL,
    allow_console_login boolean NOT NULL,
    service_name text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX sandbox_roles_name_key ON sandbox.roles (account_id, lower(role_name));
COMMENT ON TABLE sandbox.roles IS 'RAM roles.';
COMMENT ON COLUMN sandbox.roles.role_id IS 'RoleId.';
COMMENT ON COLUMN sandbox.roles.account_id IS 'The account that the role belongs to.';
COMMENT ON COLUMN sandbox.roles.role_name IS 'RoleName; an ARN has it in lower case.';
COMMENT ON COLUMN sandbox.roles.description IS 'Description.';
COMMENT ON COLUMN sandbox.roles.trust IS 'AssumeRolePolicyDocument, read.';
COMMENT ON COLUMN sandbox.roles.trust_text IS 'AssumeRolePolicyDocument, as it was given.';
COMMENT ON COLUMN sandbox.roles.max_session_duration IS 'MaxSessionDuration, seconds.';
COMMENT ON COLUMN sandbox.roles.allow_console_login IS 'AllowConsoleLogin.';
COMMENT ON COLUMN sandbox.roles.service_name IS 'ServiceName of a service-linked role; null for any other.';
COMMENT ON COLUMN sandbox.roles.created_at IS 'CreateDate.';
COMMENT ON COLUMN sandbox.roles.updated_at IS 'UpdateDate.';

CREATE TABLE sandbox.policies (
    policy_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT sandbox_policies_pkey PRIMARY KEY,
    account_id text CONSTRAINT sandbox_policies_account_fkey REFERENCES sandbox.accounts,
    policy_name text NOT NULL,
    description text NOT NULL,
    default_version integer NOT NULL,
    last_version integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT sandbox_policies_name_key UNIQUE NULLS NOT DISTINCT (account_id, policy_name)
);
COMMENT ON TABLE sandbox.policies IS 'Policies. They are attached and listed, and evaluated by nobody.';
COMMENT ON COLUMN sandbox.policies.policy_id IS 'Ours.';
COMMENT ON COLUMN sandbox.policies.account_id IS 'The account of a Custom policy; null for a System one.';
COMMENT ON COLUMN sandbox.policies.policy_name IS 'PolicyName.';
COMMENT ON COLUMN sandbox.policies.description IS 'Description.';
COMMENT ON COLUMN sandbox.policies.default_version IS 'DefaultVersion, without its v.';
COMMENT ON COLUMN sandbox.policies.last_version IS 'The newest version that ever was: numbers are not used again.';
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

WITH system (policy_name, description, action) AS (
    VALUES
        ('AdministratorAccess', 'Manages all resources', '"*"'),
        ('ReadOnlyAccess', 'Reads all resources', '["*:Describe*","*:List*","*:Get*"]'),
        ('AliyunRAMFullAccess', 'Manages RAM', '"ram:*"'),
        ('AliyunRAMReadOnlyAccess', 'Reads RAM', '["ram:Get*","ram:List*"]'),
        ('AliyunSTSAssumeRoleAccess', 'Calls AssumeRole of STS', '"sts:AssumeRole"'),
        ('AliyunOSSFullAccess', 'Manages OSS', '"oss:*"'),
        ('AliyunOSSReadOnlyAccess', 'Reads OSS', '["oss:Get*","oss:List*"]'),
        ('AliyunECSFullAccess', 'Manages ECS', '"ecs:*"'),
        ('AliyunECSReadOnlyAccess', 'Reads ECS', '"ecs:Describe*"')
),
inserted AS (
    INSERT INTO sandbox.policies (policy_name, description, default_version, last_version, created_at, updated_at)
    SELECT policy_name, description, 1, 1, 'epoch', 'epoch'
    FROM system
    RETURNING policy_id, policy_name, created_at
)
INSERT INTO sandbox.policy_versions (policy_id, version, document, created_at)
SELECT
    policy_id,
    1,
    format('{"Version":"1","Statement":[{"Effect":"Allow","Action":%s,"Resource":"*"}]}', action),
    created_at
FROM inserted
JOIN system USING (policy_name);

CREATE TABLE sandbox.attachments (
    policy_id bigint NOT NULL CONSTRAINT sandbox_attachments_policy_fkey REFERENCES sandbox.policies,
    user_id bigint CONSTRAINT sandbox_attachments_user_fkey REFERENCES sandbox.users,
    role_id bigint CONSTRAINT sandbox_attachments_role_fkey REFERENCES sandbox.roles,
    group_id bigint CONSTRAINT sandbox_attachments_group_fkey REFERENCES sandbox.groups,
    attached_at timestamptz NOT NULL,
    CONSTRAINT sandbox_attachments_key UNIQUE NULLS NOT DISTINCT (policy_id, user_id, role_id, group_id),
    CONSTRAINT sandbox_attachments_holder_check CHECK (num_nonnulls(user_id, role_id, group_id) = 1)
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

CREATE TABLE sandbox.login_profiles (
    user_id bigint CONSTRAINT sandbox_login_profiles_pkey PRIMARY KEY
        CONSTRAINT sandbox_login_profiles_user_fkey REFERENCES sandbox.users,
    password_reset_required boolean NOT NULL,
    mfa_bind_required boolean NOT NULL,
    status text NOT NULL CONSTRAINT sandbox_login_profiles_status_check CHECK (status IN ('Active', 'Inactive')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE sandbox.login_profiles IS 'Console log-ins of RAM users. The password is looked at and kept nowhere.';
COMMENT ON COLUMN sandbox.login_profiles.user_id IS 'The user.';
COMMENT ON COLUMN sandbox.login_profiles.password_reset_required IS 'PasswordResetRequired.';
COMMENT ON COLUMN sandbox.login_profiles.mfa_bind_required IS 'MFABindRequired.';
COMMENT ON COLUMN sandbox.login_profiles.status IS 'Status: whether the user can log in.';
COMMENT ON COLUMN sandbox.login_profiles.created_at IS 'CreateDate.';
COMMENT ON COLUMN sandbox.login_profiles.updated_at IS 'UpdateDate.';

CREATE TABLE sandbox.tags (
    user_id bigint CONSTRAINT sandbox_tags_user_fkey REFERENCES sandbox.users ON DELETE CASCADE,
    role_id bigint CONSTRAINT sandbox_tags_role_fkey REFERENCES sandbox.roles ON DELETE CASCADE,
    policy_id bigint CONSTRAINT sandbox_tags_policy_fkey REFERENCES sandbox.policies ON DELETE CASCADE,
    tag_key text NOT NULL,
    tag_value text NOT NULL,
    CONSTRAINT sandbox_tags_key UNIQUE NULLS NOT DISTINCT (user_id, role_id, policy_id, tag_key),
    CONSTRAINT sandbox_tags_resource_check CHECK (num_nonnulls(user_id, role_id, policy_id) = 1)
);
COMMENT ON TABLE sandbox.tags IS 'Tags of users, roles and policies.';
COMMENT ON COLUMN sandbox.tags.user_id IS 'The user, if it is one.';
COMMENT ON COLUMN sandbox.tags.role_id IS 'The role, if it is one.';
COMMENT ON COLUMN sandbox.tags.policy_id IS 'The policy, if it is one.';
COMMENT ON COLUMN sandbox.tags.tag_key IS 'TagKey.';
COMMENT ON COLUMN sandbox.tags.tag_value IS 'TagValue.';

CREATE TABLE sandbox.access_keys (
    access_key_id text CONSTRAINT sandbox_access_keys_pkey PRIMARY KEY,
    account_id text NOT NULL CONSTRAINT sandbox_access_keys_account_fkey REFERENCES sandbox.accounts,
    user_id bigint CONSTRAINT sandbox_access_keys_user_fkey REFERENCES sandbox.users,
    status text NOT NULL CONSTRAINT sandbox_access_keys_status_check CHECK (status IN ('Active', 'Inactive')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    last_used_at timestamptz,
    last_used_product text
);
CREATE INDEX sandbox_access_keys_owner_idx ON sandbox.access_keys (account_id, user_id);
COMMENT ON TABLE sandbox.access_keys IS 'AccessKeys without their secrets: a secret is shown once.';
COMMENT ON COLUMN sandbox.access_keys.access_key_id IS 'AccessKeyId.';
COMMENT ON COLUMN sandbox.access_keys.account_id IS 'The account that owns it.';
COMMENT ON COLUMN sandbox.access_keys.user_id IS 'The RAM user; null for the account itself.';
COMMENT ON COLUMN sandbox.access_keys.status IS 'Active or Inactive.';
COMMENT ON COLUMN sandbox.access_keys.created_at IS 'CreateDate.';
COMMENT ON COLUMN sandbox.access_keys.updated_at IS 'UpdateDate: when its status last changed.';
COMMENT ON COLUMN sandbox.access_keys.last_used_at IS 'LastUsedDate, to the minute; null before the first call.';
COMMENT ON COLUMN sandbox.access_keys.last_used_product IS 'ServiceName: the product that was called.';

CREATE TABLE sandbox.recycled_keys (
    access_key_id text CONSTRAINT sandbox_recycled_keys_pkey PRIMARY KEY,
    account_id text NOT NULL CONSTRAINT sandbox_recycled_keys_account_fkey REFERENCES sandbox.accounts,
    user_id bigint NOT NULL,
    created_at timestamptz NOT NULL,
    recycled_at timestamptz NOT NULL
);
CREATE INDEX sandbox_recycled_keys_user_idx ON sandbox.recycled_keys (user_id);
COMMENT ON TABLE sandbox.recycled_keys IS 'AccessKeys of RAM users that were deleted and can be brought back.';
COMMENT ON COLUMN sandbox.recycled_keys.access_key_id IS 'AccessKeyId.';
COMMENT ON COLUMN sandbox.recycled_keys.account_id IS 'The account that owned it.';
COMMENT ON COLUMN sandbox.recycled_keys.user_id IS
    'The RAM user, who may be in the recycle bin too; keys of the account itself are not kept.';
COMMENT ON COLUMN sandbox.recycled_keys.created_at IS 'CreateDate.';
COMMENT ON COLUMN sandbox.recycled_keys.recycled_at IS 'RecycleDate.';

CREATE TABLE sandbox.records (
    record_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT sandbox_records_pkey PRIMARY KEY,
    account_id text NOT NULL CONSTRAINT sandbox_records_account_fkey REFERENCES sandbox.accounts,
    kind text NOT NULL,
    name text NOT NULL,
    user_id bigint CONSTRAINT sandbox_records_user_fkey REFERENCES sandbox.users ON DELETE CASCADE,
    parent_id bigint CONSTRAINT sandbox_records_parent_fkey REFERENCES sandbox.records ON DELETE CASCADE,
    body jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT sandbox_records_name_key UNIQUE (account_id, kind, name)
);
CREATE INDEX sandbox_records_user_idx ON sandbox.records (user_id);
CREATE INDEX sandbox_records_parent_idx ON sandbox.records (parent_id);
COMMENT ON TABLE sandbox.records IS
    'What an account keeps beside its principals, keys and policies: settings, providers, applications, devices.';
COMMENT ON COLUMN sandbox.records.record_id IS 'Ours; the order of pages.';
COMMENT ON COLUMN sandbox.records.account_id IS 'The account.';
COMMENT ON COLUMN sandbox.records.kind IS 'What it is: RecordKind of src/sandbox/record_kind.rs.';
COMMENT ON COLUMN sandbox.records.name IS 'Its name or id, unique in account and kind; empty for what an account has once.';
COMMENT ON COLUMN sandbox.records.user_id IS 'The RAM user that it belongs to, if to one.';
COMMENT ON COLUMN sandbox.records.parent_id IS 'The record that it belongs to, as a secret belongs to its application.';
COMMENT ON COLUMN sandbox.records.body IS 'Its other members, under the names of the API.';
COMMENT ON COLUMN sandbox.records.created_at IS 'CreateDate.';
COMMENT ON COLUMN sandbox.records.updated_at IS 'UpdateDate.';
