//! What descends from a leaked key.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::values::{BoundedText, PageSize, text_schema};

/// Something that a leaked key made, or that came through what it made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Descendant)]
pub struct DescendantView {
    /// The id of an AccessKey or session; of everything else `KIND:ACCOUNT/NAME`.
    pub id: String,
    /// `key`, `session`, `user`, `role`, `saml`, `oidc`, `login`, `policy`, `group` or another kind of object.
    pub kind: String,
    /// How many steps it is away from the leaked key.
    pub distance: i32,
    /// Its account.
    pub account_id: Option<String>,
    /// The RAM user of an AccessKey, the principal of a session.
    pub user_name: Option<String>,
    /// Of an AccessKey `Active`, `Inactive` or `Deleted`; of a session `Live`.
    pub status: Option<String>,
    /// The AccessKey or session that signed; for a session, the role or identity provider that it came through.
    pub made_by: Option<String>,
    /// When it was made, or became known.
    #[serde(with = "time::serde::rfc3339")]
    pub made_at: OffsetDateTime,
    /// The call that made it; all zeros if an import reported it.
    pub request_id: Uuid,
    /// When a session expires.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// Its restriction in force.
    pub restriction_id: Option<Uuid>,
    /// The state of that restriction; null while it is free.
    pub restriction: Option<String>,
}

impl DescendantView {
    /// Whether it is an access key or session that still works.
    #[must_use]
    pub fn still_works(&self) -> bool {
        matches!(self.status.as_deref(), Some("Active" | "Live"))
    }
}

/// What descends from the key of a restriction.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Descendants {
    /// Since when what the key made is looked at; null: everything that is recorded.
    #[serde(with = "time::serde::rfc3339::option")]
    pub since: Option<OffsetDateTime>,
    /// The first made first.
    pub descendants: Vec<DescendantView>,
}

/// How much to show.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DescendantFilter {
    /// Maximum number of descendants.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize<1000>,
}

/// Restrict what descends from a leaked key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestrictDescendantsRequest {
    /// The reason, kept in the audit log.
    #[schema(schema_with = text_schema::<1024>)]
    pub reason: BoundedText<1024>,
    /// Only say what would be restricted.
    #[serde(default)]
    pub dry_run: bool,
}

/// What was restricted, or would be.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RestrictedDescendants {
    /// AccessKeys and sessions, by id.
    pub restricted: Vec<String>,
    /// Nothing was changed: it was a dry run.
    pub dry_run: bool,
    /// Whether a second operator must approve.
    pub needs_approval: bool,
    /// The revision of the change; null for a dry run.
    pub revision: Option<i64>,
    /// Where it is enforced; null for a dry run.
    pub receipt: Option<crate::receipts::Receipt>,
}
