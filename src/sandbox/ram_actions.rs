//! The actions of RAM 2015-05-01.

use std::future::ready;

use super::{
    accounts,
    actions::Action,
    attachments::{self, PolicyHolder},
    diagnosis, groups, keys, login_profiles, mfa_devices, policies, roles, service_roles,
    settings::{PASSWORD_POLICY, SECURITY_PREFERENCE, get_settings, set_settings},
    tagging, users, versions,
};

/// The action of this name.
pub fn find_ram_action(name: &str) -> Option<Action> {
    let action: Action = match name {
        "CreateUser" => |sandbox, asked| Box::pin(users::create_user(sandbox, asked)),
        "GetUser" => |sandbox, asked| Box::pin(users::get_user(sandbox, asked)),
        "ListUsers" => {
            |sandbox, asked| Box::pin(users::list_users(sandbox, asked, ("Users", "User")))
        }
        "UpdateUser" => |sandbox, asked| Box::pin(users::update_user(sandbox, asked)),
        "DeleteUser" => |sandbox, asked| Box::pin(users::delete_user(sandbox, asked)),
        "CreateAccessKey" => |sandbox, asked| Box::pin(keys::create_access_key(sandbox, asked)),
        "UpdateAccessKey" => |sandbox, asked| Box::pin(keys::update_access_key(sandbox, asked)),
        "DeleteAccessKey" => |sandbox, asked| Box::pin(keys::delete_access_key(sandbox, asked)),
        "ListAccessKeys" => |sandbox, asked| Box::pin(keys::list_access_keys(sandbox, asked)),
        "GetAccessKeyLastUsed" => {
            |sandbox, asked| Box::pin(keys::get_key_last_used(sandbox, asked))
        }
        "CreateLoginProfile" => {
            |sandbox, asked| Box::pin(login_profiles::create_login_profile(sandbox, asked))
        }
        "GetLoginProfile" => {
            |sandbox, asked| Box::pin(login_profiles::get_login_profile(sandbox, asked))
        }
        "UpdateLoginProfile" => {
            |sandbox, asked| Box::pin(login_profiles::update_login_profile(sandbox, asked))
        }
        "DeleteLoginProfile" => {
            |sandbox, asked| Box::pin(login_profiles::delete_login_profile(sandbox, asked))
        }
        "CreateGroup" => |sandbox, asked| Box::pin(groups::create_group(sandbox, asked)),
        "GetGroup" => |sandbox, asked| Box::pin(groups::get_group(sandbox, asked)),
        "ListGroups" => |sandbox, asked| Box::pin(groups::list_groups(sandbox, asked)),
        "UpdateGroup" => |sandbox, asked| Box::pin(groups::update_group(sandbox, asked)),
        "DeleteGroup" => |sandbox, asked| Box::pin(groups::delete_group(sandbox, asked)),
        "AddUserToGroup" => |sandbox, asked| Box::pin(groups::add_user_to_group(sandbox, asked)),
        "RemoveUserFromGroup" => {
            |sandbox, asked| Box::pin(groups::remove_user_from_group(sandbox, asked))
        }
        "ListGroupsForUser" => {
            |sandbox, asked| Box::pin(groups::list_groups_for_user(sandbox, asked))
        }
        "ListUsersForGroup" => {
            |sandbox, asked| Box::pin(groups::list_users_for_group(sandbox, asked))
        }
        "CreateRole" => |sandbox, asked| Box::pin(roles::create_role(sandbox, asked)),
        "GetRole" => |sandbox, asked| Box::pin(roles::get_role(sandbox, asked)),
        "ListRoles" => |sandbox, asked| Box::pin(roles::list_roles(sandbox, asked)),
        "UpdateRole" => |sandbox, asked| Box::pin(roles::update_role(sandbox, asked)),
        "DeleteRole" => |sandbox, asked| Box::pin(roles::delete_role(sandbox, asked)),
        "CreatePolicy" => |sandbox, asked| Box::pin(policies::create_policy(sandbox, asked)),
        "GetPolicy" => |sandbox, asked| Box::pin(policies::get_policy(sandbox, asked)),
        "ListPolicies" => |sandbox, asked| Box::pin(policies::list_policies(sandbox, asked)),
        "UpdatePolicyDescription" => {
            |sandbox, asked| Box::pin(policies::update_policy_description(sandbox, asked))
        }
        "DeletePolicy" => |sandbox, asked| Box::pin(policies::delete_policy(sandbox, asked)),
        "CreatePolicyVersion" => {
            |sandbox, asked| Box::pin(versions::create_policy_version(sandbox, asked))
        }
        "GetPolicyVersion" => {
            |sandbox, asked| Box::pin(versions::get_policy_version(sandbox, asked))
        }
        "ListPolicyVersions" => {
            |sandbox, asked| Box::pin(versions::list_policy_versions(sandbox, asked))
        }
        "SetDefaultPolicyVersion" => {
            |sandbox, asked| Box::pin(versions::set_default_version(sandbox, asked))
        }
        "DeletePolicyVersion" => {
            |sandbox, asked| Box::pin(versions::delete_policy_version(sandbox, asked))
        }
        "AttachPolicyToUser" => |sandbox, asked| {
            Box::pin(attachments::attach_policy(
                sandbox,
                asked,
                PolicyHolder::User,
            ))
        },
        "AttachPolicyToRole" => |sandbox, asked| {
            Box::pin(attachments::attach_policy(
                sandbox,
                asked,
                PolicyHolder::Role,
            ))
        },
        "AttachPolicyToGroup" => |sandbox, asked| {
            Box::pin(attachments::attach_policy(
                sandbox,
                asked,
                PolicyHolder::Group,
            ))
        },
        "DetachPolicyFromUser" => |sandbox, asked| {
            Box::pin(attachments::detach_policy(
                sandbox,
                asked,
                PolicyHolder::User,
            ))
        },
        "DetachPolicyFromRole" => |sandbox, asked| {
            Box::pin(attachments::detach_policy(
                sandbox,
                asked,
                PolicyHolder::Role,
            ))
        },
        "DetachPolicyFromGroup" => |sandbox, asked| {
            Box::pin(attachments::detach_policy(
                sandbox,
                asked,
                PolicyHolder::Group,
            ))
        },
        "ListPoliciesForUser" => |sandbox, asked| {
            Box::pin(attachments::list_policies_for(
                sandbox,
                asked,
                PolicyHolder::User,
            ))
        },
        "ListPoliciesForRole" => |sandbox, asked| {
            Box::pin(attachments::list_policies_for(
                sandbox,
                asked,
                PolicyHolder::Role,
            ))
        },
        "ListPoliciesForGroup" => |sandbox, asked| {
            Box::pin(attachments::list_policies_for(
                sandbox,
                asked,
                PolicyHolder::Group,
            ))
        },
        "ListEntitiesForPolicy" => {
            |sandbox, asked| Box::pin(attachments::list_entities_for_policy(sandbox, asked))
        }
        "TagResources" => |sandbox, asked| Box::pin(tagging::tag_resources(sandbox, asked)),
        "UntagResources" => |sandbox, asked| Box::pin(tagging::untag_resources(sandbox, asked)),
        "ListTagResources" => {
            |sandbox, asked| Box::pin(tagging::list_tag_resources(sandbox, asked))
        }
        "ChangePassword" => {
            |sandbox, asked| Box::pin(login_profiles::change_password(sandbox, asked))
        }
        "CreateVirtualMFADevice" => {
            |sandbox, asked| Box::pin(mfa_devices::create_mfa_device(sandbox, asked))
        }
        "DeleteVirtualMFADevice" => {
            |sandbox, asked| Box::pin(mfa_devices::delete_mfa_device(sandbox, asked))
        }
        "ListVirtualMFADevices" => {
            |sandbox, asked| Box::pin(mfa_devices::list_mfa_devices(sandbox, asked))
        }
        "BindMFADevice" => |sandbox, asked| Box::pin(mfa_devices::bind_mfa_device(sandbox, asked)),
        "GetUserMFAInfo" => {
            |sandbox, asked| Box::pin(mfa_devices::get_user_mfa_info(sandbox, asked))
        }
        "GetPasswordPolicy" => {
            |sandbox, asked| Box::pin(get_settings(sandbox, asked, &PASSWORD_POLICY))
        }
        "SetPasswordPolicy" => {
            |sandbox, asked| Box::pin(set_settings(sandbox, asked, &PASSWORD_POLICY))
        }
        "GetSecurityPreference" => {
            |sandbox, asked| Box::pin(get_settings(sandbox, asked, &SECURITY_PREFERENCE))
        }
        "SetSecurityPreference" => {
            |sandbox, asked| Box::pin(set_settings(sandbox, asked, &SECURITY_PREFERENCE))
        }
        "UnbindMFADevice" => {
            |sandbox, asked| Box::pin(mfa_devices::unbind_mfa_device(sandbox, asked))
        }
        "GetAccountAlias" => |_, asked| Box::pin(ready(Ok(accounts::get_account_alias(asked)))),
        "SetAccountAlias" => |sandbox, asked| Box::pin(accounts::set_account_alias(sandbox, asked)),
        "ClearAccountAlias" => {
            |sandbox, asked| Box::pin(accounts::clear_account_alias(sandbox, asked))
        }
        "CreateServiceLinkedRole" => {
            |sandbox, asked| Box::pin(service_roles::create_service_linked_role(sandbox, asked))
        }
        "DeleteServiceLinkedRole" => {
            |sandbox, asked| Box::pin(service_roles::delete_service_linked_role(sandbox, asked))
        }
        "GetServiceLinkedRoleTemplate" => |_, asked| {
            Box::pin(ready(service_roles::get_service_linked_role_template(
                asked,
            )))
        },
        "DecodeDiagnosticMessage" => {
            |_, asked| Box::pin(ready(diagnosis::decode_diagnostic_message(asked)))
        }
        _ => return None,
    };
    Some(action)
}
