-- The sandbox: what an IAM keeps, in a schema of its own. akgate's own tables are not touched by it, nor it by them.

CREATE SCHEMA sandbox;
COMMENT ON SCHEMA sandbox IS 'State of the sandbox upstream, for demos and tests.';

CREATE TABLE sandbox.accounts (
    account_id text CONSTRAINT sandbox_accounts_pkey PRIMARY KEY,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE sandbox.accounts IS 'Cloud accounts.';
COMMENT ON COLUMN sandbox.accounts.account_id IS 'Decimal id of the account.';
COMMENT ON COLUMN sandbox.accounts.created_at IS 'When it was made.';

CREATE TABLE sandbox.users (
    user_id bigint GENERATED ALWAYS AS IDENTITY (START WITH 200000000000001001) CONSTRAINT sandbox_users_pkey PRIMARY KEY,
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

CREATE TABLE sandbox.access_keys (
    access_key_id text CONSTRAINT sandbox_access_keys_pkey PRIMARY KEY,
    account_id text NOT NULL CONSTRAINT sandbox_access_keys_account_fkey REFERENCES sandbox.accounts,
    user_id bigint CONSTRAINT sandbox_access_keys_user_fkey REFERENCES sandbox.users,
    status text NOT NULL CONSTRAINT sandbox_access_keys_status_check CHECK (status IN ('Active', 'Inactive')),
    created_at timestamptz NOT NULL
);
CREATE INDEX sandbox_access_keys_owner_idx ON sandbox.access_keys (account_id, user_id);
COMMENT ON TABLE sandbox.access_keys IS 'AccessKey pairs without their secrets: a secret is shown once.';
COMMENT ON COLUMN sandbox.access_keys.access_key_id IS 'AccessKeyId.';
COMMENT ON COLUMN sandbox.access_keys.account_id IS 'The account that owns it.';
COMMENT ON COLUMN sandbox.access_keys.user_id IS 'The RAM user; null for the account itself.';
COMMENT ON COLUMN sandbox.access_keys.status IS 'Active or Inactive.';
COMMENT ON COLUMN sandbox.access_keys.created_at IS 'CreateDate.';

CREATE TABLE sandbox.roles (
    role_id bigint GENERATED ALWAYS AS IDENTITY (START WITH 300000000000001001) CONSTRAINT sandbox_roles_pkey PRIMARY KEY,
    account_id text NOT NULL CONSTRAINT sandbox_roles_account_fkey REFERENCES sandbox.accounts,
    role_name text NOT NULL,
    description text NOT NULL,
    trust jsonb NOT NULL,
    trust_text text NOT NULL,
    max_session_duration integer NOT NULL,
    created_at timestamptz NOT NULL
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
COMMENT ON COLUMN sandbox.roles.created_at IS 'CreateDate.';

CREATE TABLE sandbox.policies (
    policy_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT sandbox_policies_pkey PRIMARY KEY,
    account_id text CONSTRAINT sandbox_policies_account_fkey REFERENCES sandbox.accounts,
    policy_name text NOT NULL,
    description text NOT NULL,
    document text NOT NULL,
    CONSTRAINT sandbox_policies_name_key UNIQUE NULLS NOT DISTINCT (account_id, policy_name)
);
COMMENT ON TABLE sandbox.policies IS 'Policies. They are attached and listed, and evaluated by nobody.';
COMMENT ON COLUMN sandbox.policies.policy_id IS 'Ours.';
COMMENT ON COLUMN sandbox.policies.account_id IS 'The account of a Custom policy; null for a System one.';
COMMENT ON COLUMN sandbox.policies.policy_name IS 'PolicyName.';
COMMENT ON COLUMN sandbox.policies.description IS 'Description.';
COMMENT ON COLUMN sandbox.policies.document IS 'PolicyDocument.';

CREATE TABLE sandbox.user_policies (
    user_id bigint NOT NULL CONSTRAINT sandbox_user_policies_user_fkey REFERENCES sandbox.users,
    policy_id bigint NOT NULL CONSTRAINT sandbox_user_policies_policy_fkey REFERENCES sandbox.policies,
    attached_at timestamptz NOT NULL,
    CONSTRAINT sandbox_user_policies_pkey PRIMARY KEY (user_id, policy_id)
);
COMMENT ON TABLE sandbox.user_policies IS 'Policies attached to users.';
COMMENT ON COLUMN sandbox.user_policies.user_id IS 'The user.';
COMMENT ON COLUMN sandbox.user_policies.policy_id IS 'The policy.';
COMMENT ON COLUMN sandbox.user_policies.attached_at IS 'AttachDate.';

CREATE TABLE sandbox.role_policies (
    role_id bigint NOT NULL CONSTRAINT sandbox_role_policies_role_fkey REFERENCES sandbox.roles,
    policy_id bigint NOT NULL CONSTRAINT sandbox_role_policies_policy_fkey REFERENCES sandbox.policies,
    attached_at timestamptz NOT NULL,
    CONSTRAINT sandbox_role_policies_pkey PRIMARY KEY (role_id, policy_id)
);
COMMENT ON TABLE sandbox.role_policies IS 'Policies attached to roles.';
COMMENT ON COLUMN sandbox.role_policies.role_id IS 'The role.';
COMMENT ON COLUMN sandbox.role_policies.policy_id IS 'The policy.';
COMMENT ON COLUMN sandbox.role_policies.attached_at IS 'AttachDate.';

INSERT INTO sandbox.policies (account_id, policy_name, description, document)
SELECT NULL, name, description,
    format('{"Version":"1","Statement":[{"Effect":"Allow","Action":%s,"Resource":"*"}]}', action)
FROM (VALUES
    ('AdministratorAccess', 'Manages all resources', '"*"'),
    ('ReadOnlyAccess', 'Reads all resources', '["*:Describe*","*:List*","*:Get*"]'),
    ('AliyunRAMFullAccess', 'Manages RAM', '"ram:*"'),
    ('AliyunRAMReadOnlyAccess', 'Reads RAM', '["ram:Get*","ram:List*"]'),
    ('AliyunSTSAssumeRoleAccess', 'Calls AssumeRole of STS', '"sts:AssumeRole"'),
    ('AliyunOSSFullAccess', 'Manages OSS', '"oss:*"'),
    ('AliyunOSSReadOnlyAccess', 'Reads OSS', '["oss:Get*","oss:List*"]'),
    ('AliyunECSFullAccess', 'Manages ECS', '"ecs:*"'),
    ('AliyunECSReadOnlyAccess', 'Reads ECS', '"ecs:Describe*"')
) AS system (name, description, action);
