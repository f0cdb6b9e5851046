//! Pages for people, on the public listener: the owner's confirmation, and what a refusal recommends.

mod confirmation;
mod context;
mod page;
mod rate_limit;
mod refusal;

use axum::{Router, routing::get};
use http::{HeaderValue, header};
use tower_http::set_header::SetResponseHeaderLayer;

pub use self::{
    context::OwnerPages,
    page::PageTemplates,
    rate_limit::{PublicRateLimit, limit_rate},
};

/// The routes of the public listener. No operator route is among them.
pub fn public_router(console: OwnerPages) -> Router {
    let policy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let fixed =
        |name, value| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    Router::new()
        .route(
            "/confirm/{*token}",
            get(confirmation::show_confirmation).post(confirmation::confirm_clean_up),
        )
        .route(
            "/withdraw/{*token}",
            get(confirmation::show_withdrawal).post(confirmation::withdraw_confirmation),
        )
        .route("/style.css", get(page::serve_style_sheet))
        .route(
            "/leaked-access-key",
            get(refusal::show_help).post(refusal::explain_refusal),
        )
        .fallback(confirmation::show_not_found)
        .with_state(console)
        // The link is secret: browsers must not cache it or send it as a referrer.
        .layer(fixed(header::CACHE_CONTROL, "no-store"))
        .layer(fixed(header::REFERRER_POLICY, "no-referrer"))
        .layer(fixed(header::CONTENT_SECURITY_POLICY, policy))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(header::X_FRAME_OPTIONS, "DENY"))
}
