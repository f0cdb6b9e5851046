//! Accounts: what their restricted keys are refused.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::{
    schema_names::ProfileName,
    values::{PageSize, check_plain, checked_text},
};
use akgate_rules::verdict::Profile;

/// An account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Account)]
pub struct AccountView {
    /// The account id, a decimal number.
    pub account_id: String,
    /// `mutations` or `strict`; null for the configured default.
    pub profile: Option<String>,
    /// Whether its restricted keys may disable or delete themselves; null for the configured default.
    pub self_remedy: Option<bool>,
    /// The addresses that letters go to, in the order in which they are used.
    pub contacts: Vec<String>,
    /// Number of known AccessKeys, deleted ones included.
    pub keys: i64,
    /// Number of restrictions in force.
    pub restrictions: i64,
    /// When akgate first saw the account.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// Which accounts to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AccountFilter {
    /// Only accounts that override a configured default.
    #[serde(default)]
    #[param(nullable = false)]
    pub own: bool,
    /// The page size.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize,
    /// The `next_page_token` of the previous page.
    #[param(
        value_type = Option<String>,
        nullable = false,
        pattern = "^[0-9A-Za-z_-]+$",
        min_length = 1,
        max_length = 64
    )]
    pub page_token: Option<AccountId>,
}

checked_text! {
    /// The id of an account.
    pub AccountId, |text| check_plain(text, 1..=64, "_-")
}

/// A page of results.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AccountPage {
    /// Sorted by id.
    pub accounts: Vec<AccountView>,
    /// Send this as `page_token` to get the next page; null on the last page.
    pub next_page_token: Option<String>,
}

/// The profile; `null` for the configured default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountProfile {
    /// What restricted keys of the account are refused; null for the configured default.
    #[schema(value_type = Option<ProfileName>)]
    pub profile: Option<Profile>,
}

/// The self-remediation setting; `null` for the configured default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountSelfRemedy {
    /// Whether a restricted key of the account may disable or delete itself; null for the configured default.
    pub allowed: Option<bool>,
}
