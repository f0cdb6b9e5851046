//! The actions that RAM 2015-05-01 and IMS 2019-08-15 have in common.

use super::{
    actions::Action,
    groups, keys, login_profiles, mfa_devices,
    settings::{PASSWORD_POLICY, SECURITY_PREFERENCE, get_settings, set_settings},
    tagging, users,
};

/// The action of this name.
pub fn find_shared_action(name: &str) -> Option<Action> {
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
        _ => return None,
    };
    Some(action)
}
