//! The admin API, `/admin/v1`: operators report, look, confirm and lift; and `/v1`, for the cloud's own programs. One
//! file per endpoint.

#![forbid(unsafe_code)]

mod accounts;
mod activity;
mod approvals;
mod audit;
mod auth;
mod confirm;
mod decisions;
mod deliveries;
mod events;
mod exceptions;
mod extract;
mod keys;
mod leak_reports;
mod letters;
mod lift;
mod nodes;
mod observed;
pub mod oidc;
mod once;
pub mod openapi;
mod operators;
mod pace;
mod policy;
mod problem;
mod receipt;
mod restrictions;
mod service;
mod sign_in;
mod tagged;
mod tasks;
mod timeline;
mod verbs;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use akgate_state::database::{Connection, Pool};
use axum::{Router, middleware, routing::post};
use serde_json::Value;
use utoipa::{Modify, OpenApi};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use self::pace::Pace;
pub use self::{problem::Problem, sign_in::REDIRECT_PATH};
use crate::oidc::sign_in::SignIn;
use akgate_rules::{
    operation::{Blocklist, Catalogue, DataError},
    position::Position,
    verdict::{Policy, Profile},
};
use akgate_state::{
    approvals::FourEyes,
    clock::{Clock, LatestTime},
    directory::{StateFault, sealing::KeyRing, within},
    live::{
        barrier::{Barrier, Concern, Receipt, Wait},
        feed::Feed,
    },
    randomness::Randomness,
};

/// What the endpoints stand on.
#[derive(Clone)]
pub struct Admin {
    /// The database.
    pub pool: Pool,
    /// Digests leaked secrets at the border.
    pub ring: Arc<KeyRing>,
    /// Makes tokens.
    pub randomness: Arc<Randomness>,
    /// Enforces on this node before the answer; `None` where this process has no gateway.
    pub feed: Option<Arc<Feed>>,
    /// Where changes that restrict wait for the nodes.
    pub barrier: Arc<Barrier>,
    /// This process among the nodes.
    pub node_id: Uuid,
    /// The latest time that was seen.
    pub latest: Arc<LatestTime>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How it is set.
    pub settings: Settings,
    /// What every operation would change, and what the profiles refuse.
    pub rules: Arc<Rules>,
    /// How long a request may take in the database.
    pub timeout: Duration,
}

/// How the admin API is set.
#[derive(Clone)]
pub struct Settings {
    /// When it takes two operators.
    pub four_eyes: FourEyes,
    /// The policy that this node is configured to.
    pub policy: Policy,
    /// The profile of accounts that have none of their own.
    pub profile: Profile,
    /// How many requests a second one source may make, and ten times as many at once.
    pub requests_per_second: NonZeroU32,
    /// People show a certificate.
    pub certificates: bool,
    /// Where people sign in, if anywhere.
    pub sign_in: Option<Arc<SignIn>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            four_eyes: FourEyes::default(),
            policy: Policy::default(),
            profile: Profile::default(),
            requests_per_second: NonZeroU32::MIN.saturating_add(99),
            certificates: false,
            sign_in: None,
        }
    }
}

/// What every operation would change, and what the profiles refuse.
pub struct Rules {
    catalogue: Catalogue,
    strict: Blocklist,
}

impl Rules {
    /// Those that come with this build.
    ///
    /// # Errors
    /// [`DataError`] where the embedded data is wrong; the tests keep that from being released.
    pub fn built_in() -> Result<Self, DataError> {
        Ok(Self {
            catalogue: Catalogue::built_in()?,
            strict: Blocklist::strict()?,
        })
    }
}

impl Admin {
    /// Reads on one connection, in the time that a request has.
    async fn reading<T>(
        &self,
        read: impl AsyncFnOnce(&mut Connection) -> Result<T, StateFault>,
    ) -> Result<T, StateFault> {
        let reading = async {
            let mut db = self.pool.acquire().await?;
            read(&mut db).await
        };
        within(self.timeout, reading).await
    }

    /// Makes this node enforce what was committed.
    async fn enforce(&self, committed: Position) {
        if let Some(feed) = &self.feed {
            feed.enforce(committed).await;
        }
    }

    /// Waits until every node refuses what a committed change refuses.
    async fn receipt(
        &self,
        committed: Position,
        concern: Concern,
        wait: Wait,
    ) -> Result<Receipt, Problem> {
        self.enforce(committed).await;
        Ok(self.barrier.wait(committed, &concern, wait).await?)
    }
}

/// The routes, and their description: one place for both. What is asked of one restriction or task is
/// routed by [`verbs`] and described in [`openapi::Description`].
fn described() -> OpenApiRouter<Admin> {
    OpenApiRouter::with_openapi(openapi::Description::openapi())
        .routes(routes!(leak_reports::create, leak_reports::list))
        .routes(routes!(deliveries::list))
        .routes(routes!(restrictions::list))
        .routes(routes!(timeline::read))
        .routes(routes!(approvals::list))
        .routes(routes!(nodes::list))
        .routes(routes!(letters::list))
        .routes(routes!(events::list))
        .routes(routes!(audit::list))
        .routes(routes!(activity::read))
        .routes(routes!(decisions::read))
        .routes(routes!(accounts::list))
        .routes(routes!(accounts::one))
        .routes(routes!(accounts::set_profile))
        .routes(routes!(accounts::set_self_remedy))
        .routes(routes!(keys::list))
        .routes(routes!(keys::lineage))
        .routes(routes!(exceptions::list, exceptions::ask))
        .routes(routes!(policy::show))
        .routes(routes!(policy::check))
        .routes(routes!(policy::diff))
        .routes(routes!(policy::replay))
        .routes(routes!(observed::read))
        .routes(routes!(tasks::list))
        .routes(routes!(operators::list, operators::add))
        .routes(routes!(operators::make_token))
        .routes(routes!(operators::me))
        .routes(routes!(service::list))
        .routes(routes!(service::bounce))
}

/// What those use who are not known yet.
fn door() -> OpenApiRouter<Admin> {
    OpenApiRouter::new().routes(routes!(sign_in::page, sign_in::redeem))
}

/// The routes of operators, those of the door, and the description of all.
fn parts() -> (Router<Admin>, Router<Admin>, Value) {
    let (v1, mut api) = described().split_for_parts();
    openapi::Once.modify(&mut api);
    let (door, more) = door().split_for_parts();
    api.merge(more);
    (v1, door, openapi::bounded(&api))
}

/// The description of the API.
#[must_use]
pub fn description() -> Value {
    parts().2
}

/// The routes.
pub fn router(admin: Admin) -> Router {
    let (v1, door, api) = parts();
    let pace = Arc::new(Pace::new(admin.settings.requests_per_second));
    let once = middleware::from_fn_with_state(admin.clone(), once::once);
    let verbs = verbs::all(&admin);
    let door = door.with_state(admin.clone());
    let v1 = v1
        .route("/admin/v1/policy:switch_mode", post(policy::switch_mode))
        .with_state(admin);
    verbs
        .into_iter()
        .fold(v1, |v1, (path, verbs)| v1.route_service(path, verbs))
        .layer(once)
        .merge(door)
        .merge(openapi::router(&api))
        .fallback(|| async {
            Problem::not_found("The paths of the admin API start with /admin/v1.")
        })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(middleware::from_fn_with_state(pace, pace::pace))
}
