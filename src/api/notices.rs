//! Notices of accounts and bounces of letters: for the cloud provider's own programs.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::values::text_schema;

/// A notice.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Notice {
    /// Increases with every notice: pass the last one as `after` to get later ones.
    pub notice_id: i64,
    /// `Impose`, `Widen`, `Confirm`, `Withdraw`, `ProposeDisabling`, `DisableKey` or `Lift`.
    pub kind: String,
    /// When it happened.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The restriction that it is about.
    pub restriction_id: Uuid,
    /// The key, masked.
    pub access_key: String,
    /// Its RAM user; null for the account itself.
    pub user_name: Option<String>,
}

/// Which notices to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct NoticeFilter {
    /// Only those after this notice.
    #[param(minimum = 0, default = 0, nullable = false)]
    pub after: Option<i64>,
    /// The page size.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    pub page_size: Option<i64>,
}

/// A page of results.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NoticePage {
    /// Oldest first.
    pub notices: Vec<Notice>,
}

/// A letter that bounced.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bounce {
    /// The letter's Message-ID, with or without angle brackets.
    #[schema(schema_with = text_schema::<256>)]
    pub message_id: String,
    /// What the mail server said.
    #[schema(schema_with = text_schema::<1024>)]
    pub said: String,
}
