//! The admin API, `/admin/v1`: operators report, look, confirm and lift; and `/v1`, for the cloud's own programs. One
//! file per endpoint.

mod account;
mod activity;
mod approvals;
mod auth;
mod confirm;
mod decisions;
mod deliveries;
mod extract;
mod leak_reports;
mod letters;
mod lift;
mod observed;
pub mod openapi;
mod operators;
mod problem;
mod restrictions;
mod service;
mod tasks;
mod timeline;
mod verbs;

use std::{sync::Arc, time::Duration};

use axum::Router;
use sqlx::PgPool;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::problem::Problem;
use crate::{
    clock::Clock,
    directory::sealing::KeyRing,
    randomness::Randomness,
    registry::{approvals::FourEyes, feed::Feed},
};

/// What the endpoints stand on.
#[derive(Clone)]
pub struct Admin {
    /// The database.
    pub pool: PgPool,
    /// Digests leaked secrets at the border.
    pub ring: Arc<KeyRing>,
    /// Makes tokens.
    pub randomness: Arc<Randomness>,
    /// Enforces on this node before the answer; `None` where this process has no gateway.
    pub feed: Option<Arc<Feed>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// When it takes two operators.
    pub four_eyes: FourEyes,
    /// How long a request may take in the database.
    pub timeout: Duration,
}

impl Admin {
    /// Makes this node enforce what was committed.
    async fn enforce(&self, revision: i64) {
        if let Some(feed) = &self.feed {
            feed.enforce(revision).await;
        }
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
        .routes(routes!(letters::list))
        .routes(routes!(activity::read))
        .routes(routes!(decisions::read))
        .routes(routes!(account::set_profile))
        .routes(routes!(observed::read))
        .routes(routes!(tasks::list))
        .routes(routes!(operators::list, operators::add))
        .routes(routes!(operators::make_token))
        .routes(routes!(operators::me))
        .routes(routes!(service::list))
        .routes(routes!(service::bounce))
}

/// The description of the API.
#[must_use]
pub fn description() -> utoipa::openapi::OpenApi {
    described().split_for_parts().1
}

/// The routes.
pub fn router(admin: Admin) -> Router {
    let (v1, api) = described().split_for_parts();
    let (restriction, task) = (verbs::of_restriction(&admin), verbs::of_task(&admin));
    let delivery = verbs::of_delivery(&admin);
    let approval = verbs::of_approval(&admin);
    let (operator, token) = (verbs::of_operator(&admin), verbs::of_token(&admin));
    v1.with_state(admin)
        .route_service("/admin/v1/restrictions/{id}", restriction)
        .route_service("/admin/v1/deliveries/{id}", delivery)
        .route_service("/admin/v1/approvals/{id}", approval)
        .route_service("/admin/v1/tasks/{id}", task)
        .route_service("/admin/v1/operators/{name}", operator)
        .route_service("/admin/v1/tokens/{id}", token)
        .merge(openapi::router(&api))
        .fallback(|| async { Problem::not_found("The admin API lives under /admin/v1.") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
}
