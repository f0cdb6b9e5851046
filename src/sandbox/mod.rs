//! The sandbox: actions of RAM, IMS and STS in this process, for demos and tests.
//!
//! It is reached like any other upstream: it demands the gateway's identity, acts for whom that names, and
//! keeps its state in a schema of its own. It is an IAM without authorisation: of policies it evaluates the
//! trust of roles alone. Shapes, limits and codes are those of the published API.

mod answer;
mod asked;
mod caller;
mod check;
mod keys;
mod policies;
mod refused;
mod roles;
pub mod seed;
mod sessions;
mod users;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sqlx::PgPool;
use tokio::time::timeout;

use self::{answer::Tree, asked::Asked, refused::Refused};
use crate::{
    clock::Clock, gateway::identity::Identity, mac_key::MacKey, operation::Product,
    randomness::Randomness,
};

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
        match (Product::from_code(product), action.as_str()) {
            (Product::Ram | Product::Ims, "CreateUser") => users::create(self, asked).await,
            (Product::Ram, "GetUser") => users::get(self, asked).await,
            (Product::Ram | Product::Ims, "ListUsers") => users::list(self, asked).await,
            (Product::Ram, "UpdateUser") => users::update(self, asked).await,
            (Product::Ram, "DeleteUser") => users::delete(self, asked).await,
            (Product::Ram | Product::Ims, "CreateAccessKey") => keys::create(self, asked).await,
            (Product::Ram, "UpdateAccessKey") => keys::update(self, asked).await,
            (Product::Ram, "DeleteAccessKey") => keys::delete(self, asked).await,
            (Product::Ram, "ListAccessKeys") => keys::list(self, asked).await,
            (Product::Ram, "CreateRole") => roles::create(self, asked).await,
            (Product::Ram, "AttachPolicyToUser") => policies::attach_to_user(self, asked).await,
            (Product::Ram, "AttachPolicyToRole") => policies::attach_to_role(self, asked).await,
            (Product::Sts, "AssumeRole") => sessions::assume_role(self, asked).await,
            (Product::Sts, "GetCallerIdentity") => sessions::caller_identity(self, asked).await,
            _ => Err(Refused::action_not_found(action)),
        }
    }
}
