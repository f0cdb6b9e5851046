//! Pages for people: today the owner's confirmation page on the public listener.

mod confirmation;
mod page;

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::get};
use http::{HeaderValue, header};
use sqlx::PgPool;
use tower_http::set_header::SetResponseHeaderLayer;

pub use self::page::Pages;
use crate::clock::Clock;

/// What the pages stand on.
#[derive(Clone)]
pub struct Console {
    /// The database.
    pub pool: PgPool,
    /// The pages.
    pub pages: Arc<Pages>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How long a request may take in the database.
    pub timeout: Duration,
}

/// The routes of the public listener. No operator route is among them.
pub fn public_router(console: Console) -> Router {
    let policy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let fixed =
        |name, value| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    Router::new()
        .route(
            "/confirm/{token}",
            get(confirmation::show).post(confirmation::act),
        )
        .route("/style.css", get(page::style))
        .route("/leaked-access-key", get(confirmation::help))
        .fallback(confirmation::not_found)
        .with_state(console)
        // The link is a secret of its reader: it must not be kept or passed on.
        .layer(fixed(header::CACHE_CONTROL, "no-store"))
        .layer(fixed(header::REFERRER_POLICY, "no-referrer"))
        .layer(fixed(header::CONTENT_SECURITY_POLICY, policy))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(header::X_FRAME_OPTIONS, "DENY"))
}
