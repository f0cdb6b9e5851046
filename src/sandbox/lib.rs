//! The sandbox: actions of RAM, IMS and STS in this process, for demos and tests.
//!
//! It works like any other upstream: it requires the gateway's identity header, acts for the caller that the header
//! names, and keeps its state in its own schema. It is an IAM without authorisation: it evaluates no policies except
//! the trust policies of roles. Shapes, limits and codes are those of the published API.

#![forbid(unsafe_code)]

mod answer;
mod asked;
mod attachments;
mod caller;
mod check;
mod groups;
mod keys;
mod login_profiles;
mod owned_key;
mod page;
mod policies;
mod recycle_bin;
mod refused;
mod roles;
mod sandbox;
pub mod seed;
mod sessions;
mod tagging;
mod tags;
mod trust;
mod users;
mod versions;

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

pub use self::sandbox::Sandbox;
use self::{
    answer::ResponseBody, asked::SandboxRequest, attachments::PolicyHolder, refused::SandboxFault,
};
use akgate_rules::{identity::Identity, operation::Product};

/// How long an action may take.
const ACTION_TIMEOUT: Duration = Duration::from_secs(5);

impl Sandbox {
    /// Answers one printed request.
    pub async fn call(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let now = self.clock.now();
        let asked = match SandboxRequest::read(&request, &self.identity_key, now) {
            Ok(asked) => asked,
            Err(refused) => return answer::render_stranger_fault(&refused),
        };
        let done = timeout(ACTION_TIMEOUT, self.act(&asked)).await;
        match done.unwrap_or_else(|_| Err(SandboxFault::unavailable())) {
            Ok(tree) => answer::render_response(&asked, tree),
            Err(refused) => answer::render_fault(&asked, &refused),
        }
    }

    async fn act(&self, asked: &SandboxRequest) -> Result<ResponseBody, SandboxFault> {
        let Identity {
            product, action, ..
        } = &asked.identity;
        keys::record_use(self, asked).await?;
        match Product::from_code(product) {
            Product::Ram => self.ram(action, asked).await,
            Product::Ims => self.ims(action, asked).await,
            Product::Sts => self.sts(action, asked).await,
            Product::ResourceManager | Product::Other(_) => {
                Err(SandboxFault::action_not_found(action))
            }
        }
    }

    async fn ram(
        &self,
        action: &str,
        asked: &SandboxRequest,
    ) -> Result<ResponseBody, SandboxFault> {
        match action {
            "CreateUser" => users::create_user(self, asked).await,
            "GetUser" => users::get_user(self, asked).await,
            "ListUsers" => users::list_users(self, asked).await,
            "UpdateUser" => users::update_user(self, asked).await,
            "DeleteUser" => users::delete_user(self, asked).await,
            "CreateAccessKey" => keys::create_access_key(self, asked).await,
            "UpdateAccessKey" => keys::update_access_key(self, asked).await,
            "DeleteAccessKey" => keys::delete_access_key(self, asked).await,
            "ListAccessKeys" => keys::list_access_keys(self, asked).await,
            "GetAccessKeyLastUsed" => keys::get_key_last_used(self, asked).await,
            "CreateLoginProfile" => login_profiles::create_login_profile(self, asked).await,
            "GetLoginProfile" => login_profiles::get_login_profile(self, asked).await,
            "UpdateLoginProfile" => login_profiles::update_login_profile(self, asked).await,
            "DeleteLoginProfile" => login_profiles::delete_login_profile(self, asked).await,
            "CreateGroup" => groups::create_group(self, asked).await,
            "GetGroup" => groups::get_group(self, asked).await,
            "ListGroups" => groups::list_groups(self, asked).await,
            "UpdateGroup" => groups::update_group(self, asked).await,
            "DeleteGroup" => groups::delete_group(self, asked).await,
            "AddUserToGroup" => groups::add_user_to_group(self, asked).await,
            "RemoveUserFromGroup" => groups::remove_user_from_group(self, asked).await,
            "ListGroupsForUser" => groups::list_groups_for_user(self, asked).await,
            "ListUsersForGroup" => groups::list_users_for_group(self, asked).await,
            "CreateRole" => roles::create_role(self, asked).await,
            "GetRole" => roles::get_role(self, asked).await,
            "ListRoles" => roles::list_roles(self, asked).await,
            "UpdateRole" => roles::update_role(self, asked).await,
            "DeleteRole" => roles::delete_role(self, asked).await,
            "CreatePolicy" => policies::create_policy(self, asked).await,
            "GetPolicy" => policies::get_policy(self, asked).await,
            "ListPolicies" => policies::list_policies(self, asked).await,
            "UpdatePolicyDescription" => policies::update_policy_description(self, asked).await,
            "DeletePolicy" => policies::delete_policy(self, asked).await,
            "CreatePolicyVersion" => versions::create_policy_version(self, asked).await,
            "GetPolicyVersion" => versions::get_policy_version(self, asked).await,
            "ListPolicyVersions" => versions::list_policy_versions(self, asked).await,
            "SetDefaultPolicyVersion" => versions::set_default_version(self, asked).await,
            "DeletePolicyVersion" => versions::delete_policy_version(self, asked).await,
            "AttachPolicyToUser" => {
                attachments::attach_policy(self, asked, PolicyHolder::User).await
            }
            "AttachPolicyToRole" => {
                attachments::attach_policy(self, asked, PolicyHolder::Role).await
            }
            "AttachPolicyToGroup" => {
                attachments::attach_policy(self, asked, PolicyHolder::Group).await
            }
            "DetachPolicyFromUser" => {
                attachments::detach_policy(self, asked, PolicyHolder::User).await
            }
            "DetachPolicyFromRole" => {
                attachments::detach_policy(self, asked, PolicyHolder::Role).await
            }
            "DetachPolicyFromGroup" => {
                attachments::detach_policy(self, asked, PolicyHolder::Group).await
            }
            "ListPoliciesForUser" => {
                attachments::list_policies_for(self, asked, PolicyHolder::User).await
            }
            "ListPoliciesForRole" => {
                attachments::list_policies_for(self, asked, PolicyHolder::Role).await
            }
            "ListPoliciesForGroup" => {
                attachments::list_policies_for(self, asked, PolicyHolder::Group).await
            }
            "ListEntitiesForPolicy" => attachments::list_entities_for_policy(self, asked).await,
            "TagResources" => tagging::tag_resources(self, asked).await,
            "UntagResources" => tagging::untag_resources(self, asked).await,
            "ListTagResources" => tagging::list_tag_resources(self, asked).await,
            _ => Err(SandboxFault::action_not_found(action)),
        }
    }

    async fn ims(
        &self,
        action: &str,
        asked: &SandboxRequest,
    ) -> Result<ResponseBody, SandboxFault> {
        match action {
            "CreateUser" => users::create_user(self, asked).await,
            "GetUser" => users::get_user(self, asked).await,
            "ListUsers" => users::list_users(self, asked).await,
            "UpdateUser" => users::update_user(self, asked).await,
            "DeleteUser" => users::delete_user(self, asked).await,
            "CreateAccessKey" => keys::create_access_key(self, asked).await,
            "UpdateAccessKey" => keys::update_access_key(self, asked).await,
            "DeleteAccessKey" => keys::delete_access_key(self, asked).await,
            "ListAccessKeys" => keys::list_access_keys(self, asked).await,
            "GetAccessKeyLastUsed" => keys::get_key_last_used(self, asked).await,
            "ListAccessKeysInRecycleBin" => recycle_bin::list_recycled_keys(self, asked).await,
            "RestoreAccessKeyFromRecycleBin" => {
                recycle_bin::restore_recycled_key(self, asked).await
            }
            "DeleteAccessKeyInRecycleBin" => recycle_bin::delete_recycled_key(self, asked).await,
            _ => Err(SandboxFault::action_not_found(action)),
        }
    }

    async fn sts(
        &self,
        action: &str,
        asked: &SandboxRequest,
    ) -> Result<ResponseBody, SandboxFault> {
        match action {
            "AssumeRole" => sessions::assume_role(self, asked).await,
            "GetCallerIdentity" => sessions::get_caller_identity(self, asked).await,
            _ => Err(SandboxFault::action_not_found(action)),
        }
    }
}
