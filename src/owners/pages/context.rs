//! What the pages depend on, and functions that they share.

use std::{sync::Arc, time::Duration};

use akgate_state::database::Pool;
use axum::response::Response;
use http::{HeaderMap, header::ACCEPT_LANGUAGE};
use time::OffsetDateTime;

use super::page::{PageKind, PageTemplates};
use akgate_rules::{lineage::DescendantPolicy, restriction::LiftRule};
use akgate_state::{
    clock::{Clock, format_utc_minute},
    directory::{StateFault, contacts::Language},
};

/// What the pages depend on.
#[derive(Clone)]
pub struct OwnerPages {
    /// The database.
    pub pool: Pool,
    /// The pages.
    pub pages: Arc<PageTemplates>,
    /// Who may lift after a confirmation.
    pub lift: LiftRule,
    /// What becomes of what a leaked key made.
    pub descendants: DescendantPolicy,
    /// The source of the current time.
    pub clock: Arc<dyn Clock>,
    /// How long a request may take in the database.
    pub timeout: Duration,
}

pub(super) fn unavailable_page(
    console: &OwnerPages,
    headers: &HeaderMap,
    fault: &StateFault,
) -> Response {
    tracing::error!(%fault, "a page failed in the database");
    console
        .pages
        .render(PageKind::Unavailable, preferred_language(headers), ())
}

/// The reader's language if no contact determines it: the browser's first choice.
pub(super) fn preferred_language(headers: &HeaderMap) -> Language {
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

pub(super) fn format_minute(at: OffsetDateTime) -> String {
    format!("{} UTC", format_utc_minute(at))
}
