//! Notices of accounts and bounces of letters: for the cloud provider's own programs.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::values::{BoundedText, PageSize, text_schema};

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
    #[serde(default, deserialize_with = "notice_id")]
    #[param(minimum = 0, default = 0, nullable = false)]
    pub after: i64,
    /// The page size.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize,
}

fn notice_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let id = i64::deserialize(deserializer)?;
    match id >= 0 {
        true => Ok(id),
        false => Err(D::Error::custom("must be 0 or more")),
    }
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
    pub message_id: BoundedText<256>,
    /// What the mail server answered (RFC 3464, `Diagnostic-Code`).
    #[schema(schema_with = text_schema::<1024>)]
    pub diagnostic: BoundedText<1024>,
}
