//! The actions of RAM 2015-05-01.

use std::future::ready;

use super::{
    accounts,
    actions::Action,
    attachments::{self, PolicyHolder},
    diagnosis, mfa_devices, policies, roles, service_roles,
    shared_actions::find_shared_action,
    versions,
};

/// The action of this name.
pub fn find_ram_action(name: &str) -> Option<Action> {
    let action: Action = match name {
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
        _ => return find_shared_action(name),
    };
    Some(action)
}
