//! The sandbox: actions of RAM, IMS and STS in this process, for demos and tests.
//!
//! It is reached like any other upstream: it demands the gateway's identity, acts for whom that names, and
//! keeps its state in a schema of its own. It is an IAM without authorisation: of policies it evaluates the
//! trust of roles alone. Shapes, limits and codes are those of the published API.

#![forbid(unsafe_code)]

mod answer;
mod asked;
mod attachments;
mod caller;
mod check;
mod groups;
mod keys;
mod login_profiles;
mod page;
mod policies;
mod recycle_bin;
mod refused;
mod roles;
pub mod seed;
mod sessions;
mod tags;
mod trust;
mod users;
mod versions;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sqlx::PgPool;
use tokio::time::timeout;

use self::{answer::Tree, asked::Asked, attachments::Holder, refused::Refused};
use akgate_rules::{identity::Identity, mac_key::MacKey, operation::Product};
use akgate_state::{clock::Clock, randomness::Randomness};

/// How long an action may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The sandbox.
#[derive(Clone)]
pub struct Sandbox {
    pool: PgPool,
    identity_key: MacKey,
    clock: Arc<dyn Clock>,
    randomness: Arc<Randomness>,
}

impl Sandbox {
    /// A sandbox that trusts identities under this key.
    #[must_use]
    pub fn new(
        pool: PgPool,
        identity_key: MacKey,
        clock: Arc<dyn Clock>,
        randomness: Arc<Randomness>,
    ) -> Self {
        Self {
            pool,
            identity_key,
            clock,
            randomness,
        }
    }

    /// Answers one printed request.
    pub async fn call(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let now = self.clock.now();
        let asked = match Asked::read(&request, &self.identity_key, now) {
            Ok(asked) => asked,
            Err(refused) => return answer::refuse_stranger(&refused),
        };
        let done = timeout(PATIENCE, self.act(&asked)).await;
        match done.unwrap_or_else(|_| Err(Refused::unavailable())) {
            Ok(tree) => answer::write(&asked, tree),
            Err(refused) => answer::refuse(&asked, &refused),
        }
    }

    async fn act(&self, asked: &Asked) -> Result<Tree, Refused> {
        let Identity {
            product, action, ..
        } = &asked.identity;
        keys::note_use(self, asked).await?;
        match Product::from_code(product) {
            Product::Ram => self.ram(action, asked).await,
            Product::Ims => self.ims(action, asked).await,
            Product::Sts => self.sts(action, asked).await,
            Product::ResourceManager | Product::Other(_) => Err(Refused::action_not_found(action)),
        }
    }

    async fn ram(&self, action: &str, asked: &Asked) -> Result<Tree, Refused> {
        match action {
            "CreateUser" => users::create(self, asked).await,
            "GetUser" => users::get(self, asked).await,
            "ListUsers" => users::list(self, asked).await,
            "UpdateUser" => users::update(self, asked).await,
            "DeleteUser" => users::delete(self, asked).await,
            "CreateAccessKey" => keys::create(self, asked).await,
            "UpdateAccessKey" => keys::update(self, asked).await,
            "DeleteAccessKey" => keys::delete(self, asked).await,
            "ListAccessKeys" => keys::list(self, asked).await,
            "GetAccessKeyLastUsed" => keys::last_used(self, asked).await,
            "CreateLoginProfile" => login_profiles::create(self, asked).await,
            "GetLoginProfile" => login_profiles::get(self, asked).await,
            "UpdateLoginProfile" => login_profiles::update(self, asked).await,
            "DeleteLoginProfile" => login_profiles::delete(self, asked).await,
            "CreateGroup" => groups::create(self, asked).await,
            "GetGroup" => groups::get(self, asked).await,
            "ListGroups" => groups::list(self, asked).await,
            "UpdateGroup" => groups::update(self, asked).await,
            "DeleteGroup" => groups::delete(self, asked).await,
            "AddUserToGroup" => groups::add_user(self, asked).await,
            "RemoveUserFromGroup" => groups::remove_user(self, asked).await,
            "ListGroupsForUser" => groups::of_user(self, asked).await,
            "ListUsersForGroup" => groups::members(self, asked).await,
            "CreateRole" => roles::create(self, asked).await,
            "GetRole" => roles::get(self, asked).await,
            "ListRoles" => roles::list(self, asked).await,
            "UpdateRole" => roles::update(self, asked).await,
            "DeleteRole" => roles::delete(self, asked).await,
            "CreatePolicy" => policies::create(self, asked).await,
            "GetPolicy" => policies::get(self, asked).await,
            "ListPolicies" => policies::list(self, asked).await,
            "UpdatePolicyDescription" => policies::describe(self, asked).await,
            "DeletePolicy" => policies::delete(self, asked).await,
            "CreatePolicyVersion" => versions::create(self, asked).await,
            "GetPolicyVersion" => versions::get(self, asked).await,
            "ListPolicyVersions" => versions::list(self, asked).await,
            "SetDefaultPolicyVersion" => versions::set_default(self, asked).await,
            "DeletePolicyVersion" => versions::delete(self, asked).await,
            "AttachPolicyToUser" => attachments::attach(self, asked, Holder::User).await,
            "AttachPolicyToRole" => attachments::attach(self, asked, Holder::Role).await,
            "AttachPolicyToGroup" => attachments::attach(self, asked, Holder::Group).await,
            "DetachPolicyFromUser" => attachments::detach(self, asked, Holder::User).await,
            "DetachPolicyFromRole" => attachments::detach(self, asked, Holder::Role).await,
            "DetachPolicyFromGroup" => attachments::detach(self, asked, Holder::Group).await,
            "ListPoliciesForUser" => attachments::list(self, asked, Holder::User).await,
            "ListPoliciesForRole" => attachments::list(self, asked, Holder::Role).await,
            "ListPoliciesForGroup" => attachments::list(self, asked, Holder::Group).await,
            "ListEntitiesForPolicy" => attachments::entities(self, asked).await,
            "TagResources" => tags::tag(self, asked).await,
            "UntagResources" => tags::untag(self, asked).await,
            "ListTagResources" => tags::list(self, asked).await,
            _ => Err(Refused::action_not_found(action)),
        }
    }

    async fn ims(&self, action: &str, asked: &Asked) -> Result<Tree, Refused> {
        match action {
            "CreateUser" => users::create(self, asked).await,
            "GetUser" => users::get(self, asked).await,
            "ListUsers" => users::list(self, asked).await,
            "UpdateUser" => users::update(self, asked).await,
            "DeleteUser" => users::delete(self, asked).await,
            "CreateAccessKey" => keys::create(self, asked).await,
            "UpdateAccessKey" => keys::update(self, asked).await,
            "DeleteAccessKey" => keys::delete(self, asked).await,
            "ListAccessKeys" => keys::list(self, asked).await,
            "GetAccessKeyLastUsed" => keys::last_used(self, asked).await,
            "ListAccessKeysInRecycleBin" => recycle_bin::list(self, asked).await,
            "RestoreAccessKeyFromRecycleBin" => recycle_bin::restore(self, asked).await,
            "DeleteAccessKeyInRecycleBin" => recycle_bin::delete(self, asked).await,
            _ => Err(Refused::action_not_found(action)),
        }
    }

    async fn sts(&self, action: &str, asked: &Asked) -> Result<Tree, Refused> {
        match action {
            "AssumeRole" => sessions::assume_role(self, asked).await,
            "GetCallerIdentity" => sessions::caller_identity(self, asked).await,
            _ => Err(Refused::action_not_found(action)),
        }
    }
}
