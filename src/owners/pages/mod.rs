//! Pages for people, on the public listener: the owner's confirmation, and what a refusal recommends.

mod confirmation;
mod page;
mod refusal;

use std::{sync::Arc, time::Duration};

use akgate_state::database::Pool;
use axum::{Router, response::Response, routing::get};
use http::{
    HeaderMap, HeaderValue,
    header::{self, ACCEPT_LANGUAGE},
};
use time::OffsetDateTime;
use tower_http::set_header::SetResponseHeaderLayer;

use self::page::Page;
pub use self::page::Pages;
use akgate_rules::restriction::LiftRule;
use akgate_state::{
    clock::{Clock, utc_minute},
    directory::{StateFault, contacts::Language},
};

/// What the pages stand on.
#[derive(Clone)]
pub struct Console {
    /// The database.
    pub pool: Pool,
    /// The pages.
    pub pages: Arc<Pages>,
    /// What follows a confirmation.
    pub lift: LiftRule,
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
        .route(
            "/withdraw/{token}",
            get(confirmation::show_withdrawal).post(confirmation::take_back),
        )
        .route("/style.css", get(page::style))
        .route("/leaked-access-key", get(refusal::help).post(refusal::why))
        .fallback(confirmation::not_found)
        .with_state(console)
        // The link is a secret of its reader: it must not be kept or passed on.
        .layer(fixed(header::CACHE_CONTROL, "no-store"))
        .layer(fixed(header::REFERRER_POLICY, "no-referrer"))
        .layer(fixed(header::CONTENT_SECURITY_POLICY, policy))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(header::X_FRAME_OPTIONS, "DENY"))
}

fn unavailable(console: &Console, headers: &HeaderMap, fault: &StateFault) -> Response {
    tracing::error!(%fault, "a page failed in the database");
    console
        .pages
        .render(Page::Unavailable, asked_for(headers), ())
}

/// The reader's language where no contact says it: the first that the browser names.
fn asked_for(headers: &HeaderMap) -> Language {
    let named = headers
        .get(ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if named.trim_start().to_ascii_lowercase().starts_with("zh") {
        Language::Chinese
    } else {
        Language::English
    }
}

fn minute(at: OffsetDateTime) -> String {
    format!("{} UTC", utc_minute(at))
}
