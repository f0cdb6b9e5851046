//! AccessKeys in the directory.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::values::{BoundedText, PageSize, choice, text_schema};
use akgate_rules::access_key::AccessKeyId;

/// An AccessKey in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ListedKey {
    /// The AccessKeyId.
    pub access_key_id: String,
    /// The account that owns it.
    pub account_id: String,
    /// The RAM user; null for the account itself.
    pub user_name: Option<String>,
    /// Active, Inactive or Deleted.
    pub status: String,
    /// State of the restriction in force; null if there is none.
    pub restriction: Option<String>,
}

/// An AccessKey with its context.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Key)]
pub struct KeyView {
    /// The AccessKeyId.
    pub access_key_id: String,
    /// The account that owns it.
    pub account_id: String,
    /// The RAM user; null for the account itself.
    pub user_name: Option<String>,
    /// Active, Inactive or Deleted.
    pub status: String,
    /// When it was created, or first seen.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The AccessKey that created it; null if unknown.
    pub created_by_access_key_id: Option<String>,
    /// Since when operators keep it disabled; null if they do not.
    #[serde(with = "time::serde::rfc3339::option")]
    pub disabled_at: Option<OffsetDateTime>,
    /// The operator who requested that: `operator:NAME`.
    pub disabled_by: Option<String>,
    /// The key of the key ring that seals its secret.
    pub seal_key_id: i32,
    /// The addresses that letters about it go to.
    pub contacts: Vec<String>,
    /// Its restrictions, newest first.
    pub restrictions: Vec<KeyRestriction>,
    /// Number of its sessions that have not expired.
    pub sessions: i64,
    /// Number of AccessKeys created with it.
    pub created_keys: i64,
}

/// A restriction of a key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyRestriction {
    /// UUID version 7.
    pub restriction_id: Uuid,
    /// Imposed, Confirmed or Lifted.
    pub state: String,
    /// Since when it has been in force.
    #[serde(with = "time::serde::rfc3339")]
    pub imposed_at: OffsetDateTime,
}

akgate_rules::text_enum! {
    /// Status of a key.
    #[derive(ToSchema)]
    pub enum KeyStatus {
        /// It is active.
        Active = "Active",
        /// It is disabled, and may be enabled again.
        Inactive = "Inactive",
        /// It is deleted; it may be restored from the recycle bin.
        Deleted = "Deleted",
    }
}

/// Which access keys to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct KeyFilter {
    /// Only those of this account.
    #[param(nullable = false)]
    pub account_id: Option<String>,
    /// Only those of this RAM user.
    #[param(nullable = false)]
    pub user_name: Option<String>,
    /// Only those with this status.
    #[serde(default, deserialize_with = "choice")]
    #[param(inline, nullable = false)]
    pub status: Option<KeyStatus>,
    /// Only restricted ones.
    #[serde(default)]
    #[param(nullable = false)]
    pub restricted: bool,
    /// The page size.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize,
    /// The `next_page_token` of the previous page.
    #[param(
        value_type = Option<String>,
        nullable = false,
        pattern = "^[A-Za-z0-9._-]+$",
        min_length = 1,
        max_length = 128
    )]
    pub page_token: Option<AccessKeyId>,
}

/// A page of results.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyPage {
    /// Sorted by id.
    pub keys: Vec<ListedKey>,
    /// Send this as `page_token` to get the next page; null on the last page.
    pub next_page_token: Option<String>,
}

/// Why it is disabled.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisableKeyRequest {
    /// The reason, kept in the audit log.
    #[schema(schema_with = text_schema::<1024>)]
    pub reason: BoundedText<1024>,
}
