//! The admin API, `/admin/v1`: operators report, look, confirm and lift. One file per endpoint.

mod account;
mod activity;
mod auth;
mod confirm;
mod extract;
mod leak_report;
mod letters;
mod lift;
mod observed;
mod problem;
mod restrictions;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    routing::{get, post, put},
};
use sqlx::PgPool;

pub use self::problem::Problem;
use crate::{clock::Clock, directory::sealing::KeyRing, registry::feed::Feed};

/// What the endpoints stand on.
#[derive(Clone)]
pub struct Admin {
    /// The database.
    pub pool: PgPool,
    /// Digests leaked secrets at the border.
    pub ring: Arc<KeyRing>,
    /// Enforces on this node before the answer; `None` where this process has no gateway.
    pub feed: Option<Arc<Feed>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How long a request may take in the database.
    pub timeout: Duration,
}

impl Admin {
    /// Makes this node enforce what was committed. The others follow within a second; so does this one
    /// where the database fails just now, since the change itself is committed.
    async fn enforce(&self, revision: i64) {
        if let Some(feed) = &self.feed
            && let Err(fault) = feed.reach(revision).await
        {
            tracing::warn!(%fault, revision, "committed, but not enforced on this node yet");
        }
    }
}

/// The routes.
pub fn router(admin: Admin) -> Router {
    let v1 = Router::new()
        .route("/leak-reports", post(leak_report::create))
        .route("/restrictions", get(restrictions::list))
        .route(
            "/restrictions/{id}",
            get(restrictions::one).post(restrictions::act),
        )
        .route("/letters", get(letters::list))
        .route("/keys/{id}/activity", get(activity::read))
        .route("/accounts/{id}/profile", put(account::set_profile))
        .route("/policy/observed", get(observed::read))
        .with_state(admin);
    Router::new()
        .nest("/admin/v1", v1)
        .fallback(|| async { Problem::not_found("The admin API lives under /admin/v1.") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
}
