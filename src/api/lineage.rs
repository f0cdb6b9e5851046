//! Where a key or session comes from, and what descends from it.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::values::PageSize;

/// A key or session of a lineage.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Relative {
    /// Its id; of what is no key or session, `KIND:ACCOUNT/NAME`.
    pub access_key_id: String,
    /// Distance from the requested one: negative for ancestors, 0 for itself, positive for descendants.
    pub distance: i32,
    /// The key or session that created it; null if unknown.
    pub created_by: Option<String>,
    /// `AccessKey`, `Session`, or `user`, `role`, `saml`, `oidc` and other kinds of objects; null for a key or session that
    /// is not (or no longer) in the directory.
    pub kind: Option<String>,
    /// `Active`, `Inactive` or `Deleted`; for a session, `Live` or `Ended`.
    pub status: Option<String>,
    /// When a session expires or expired.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// State of the restriction in force; null if there is none.
    pub restriction: Option<String>,
}

/// How much to show.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LineageFilter {
    /// Maximum number of descendants.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize<1000>,
}

/// The ancestors and descendants of a key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Lineage {
    /// Its ancestors, the farthest first; the key itself; its descendants, the nearest first.
    pub relatives: Vec<Relative>,
}
