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

use self::page::PageKind;
pub use self::page::PageTemplates;
use akgate_rules::restriction::LiftRule;
use akgate_state::{
    clock::{Clock, format_utc_minute},
    directory::{StateFault, contacts::Language},
};

/// What the pages stand on.
#[derive(Clone)]
pub struct OwnerPages {
    /// The database.
    pub pool: Pool,
    /// The pages.
    pub pages: Arc<PageTemplates>,
    /// What follows a confirmation.
    pub lift: LiftRule,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How long a request may take in the database.
    pub timeout: Duration,
}

/// The routes of the public listener. No operator route is among them.
pub fn public_router(console: OwnerPages) -> Router {
    let policy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let fixed =
        |name, value| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    Router::new()
        .route(
            "/confirm/{token}",
            get(confirmation::show_confirmation).post(confirmation::confirm_clean_up),
        )
        .route(
            "/withdraw/{token}",
            get(confirmation::show_withdrawal).post(confirmation::withdraw_confirmation),
        )
        .route("/style.css", get(page::serve_style_sheet))
        .route(
            "/leaked-access-key",
            get(refusal::show_help).post(refusal::explain_refusal),
        )
        .fallback(confirmation::show_not_found)
        .with_state(console)
        // The link is a secret of its reader: it must not be kept or passed on.
        .layer(fixed(header::CACHE_CONTROL, "no-store"))
        .layer(fixed(header::REFERRER_POLICY, "no-referrer"))
        .layer(fixed(header::CONTENT_SECURITY_POLICY, policy))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(header::X_FRAME_OPTIONS, "DENY"))
}

fn unavailable_page(console: &OwnerPages, headers: &HeaderMap, fault: &StateFault) -> Response {
    tracing::error!(%fault, "a page failed in the database");
    console
        .pages
        .render(PageKind::Unavailable, preferred_language(headers), ())
}

/// The reader's language where no contact says it: the first that the browser names.
fn preferred_language(headers: &HeaderMap) -> Language {
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

fn format_minute(at: OffsetDateTime) -> String {
    format!("{} UTC", format_utc_minute(at))
}
