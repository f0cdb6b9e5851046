//! What restricted keys are refused.

use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::{
    schema_names::{ModeName, ProfileName},
    values::{BoundedText, PageSize, check_plain, checked_text, in_range, text_schema},
};
use akgate_rules::verdict::{Mode, Profile};

/// The last switch of the mode.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ModeSwitch {
    /// `enforce`, `shadow` or `off` for every node; null for each node's configured mode.
    #[schema(value_type = Option<String>)]
    pub mode: Option<Mode>,
    /// Why, in the requester's words; null if the mode was never switched.
    pub reason: Option<String>,
    /// The requester: `operator:NAME`.
    pub requested_by: Option<String>,
    /// The approver: `operator:NAME`.
    pub approved_by: Option<String>,
    /// When it was switched.
    #[serde(with = "time::serde::rfc3339::option")]
    pub switched_at: Option<OffsetDateTime>,
}

/// Calls of one key that would have been refused.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReplayedCalls {
    /// The key or session that signed.
    pub access_key_id: String,
    /// The restricted key that it is or descends from; null if all keys count as restricted.
    pub restricted_key: Option<String>,
    /// Its account; null if it is not (or no longer) in the directory.
    pub account_id: Option<String>,
    /// Its RAM user or role; null for the account itself, or if unknown.
    pub principal: Option<String>,
    /// Product code.
    pub product: String,
    /// Action.
    pub action: String,
    /// Number of calls that would have been refused.
    pub calls: i64,
    /// Number of these that were in fact refused.
    pub refused: i64,
    /// The hour of the last call.
    #[serde(with = "time::serde::rfc3339")]
    pub last_hour: OffsetDateTime,
}

/// The policy in force.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Policy)]
pub struct PolicyView {
    /// The mode in force at this node.
    #[schema(value_type = ModeName)]
    pub mode: Mode,
    /// The mode in this node's configuration.
    #[schema(value_type = ModeName)]
    pub configured_mode: Mode,
    /// The mode that operators have switched every node to.
    pub switched: ModeSwitch,
    /// When enforcement begins; null: it has begun.
    #[serde(with = "time::serde::rfc3339::option")]
    pub enforce_from: Option<OffsetDateTime>,
    /// Whether leaked keys are refused now.
    pub is_enforced: bool,
    /// The profile of accounts that have no profile of their own.
    #[schema(value_type = ProfileName)]
    pub profile: Profile,
    /// Whether restricted keys may disable or delete themselves, unless their account says otherwise.
    pub self_remedy: bool,
    /// Number of operations in the catalogue.
    pub catalogued: usize,
    /// Number of them that each profile refuses to a restricted key.
    pub refused: PerProfile<usize>,
}

/// One value for each profile.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs, reason = "the names of the profiles")]
pub struct PerProfile<T> {
    pub mutations: T,
    pub strict: T,
}

/// The mode to switch to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchModeRequest {
    /// For every node; null for each node's configured mode.
    #[schema(value_type = Option<ModeName>)]
    pub mode: Option<Mode>,
    /// The reason, kept in the audit log.
    #[schema(schema_with = text_schema::<1024>)]
    pub reason: BoundedText<1024>,
}

/// The operation to check.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PolicyCheckQuery {
    /// Product code: RAM, IMS, STS, ResourceManager, Ecs.
    #[param(value_type = String, pattern = "^[A-Za-z0-9-]+$", min_length = 1, max_length = 64)]
    pub product: ProductCode,
    /// API version; may be omitted for RAM, IMS, STS and ResourceManager.
    #[param(value_type = Option<String>, nullable = false, pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    pub version: Option<ApiVersion>,
    /// Action, exactly as in the call.
    #[param(value_type = String, pattern = "^[A-Za-z0-9_]+$", min_length = 1, max_length = 128)]
    pub action: ActionName,
}

checked_text! {
    /// The code of a product.
    pub ProductCode, |text| check_plain(text, 1..=64, "-")
}

checked_text! {
    /// The name of an action.
    pub ActionName, |text| check_plain(text, 1..=128, "_")
}

checked_text! {
    /// The version of an API: the day of its publication.
    pub ApiVersion, check_date
}

fn check_date(text: &str) -> Result<(), String> {
    let fits = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    match text.len() == 10 && text.bytes().enumerate().all(fits) {
        true => Ok(()),
        false => Err("must be a date: 2015-05-01".to_owned()),
    }
}

akgate_rules::text_enum! {
    /// What happens to a restricted key's call.
    #[derive(ToSchema)]
    pub enum Judgement {
        /// The call passes.
        Allow = "allow",
        /// The call is refused.
        Refuse = "refuse",
        /// The call passes because nobody has said what the operation changes.
        NotJudged = "not_judged",
    }
}

/// How an operation is treated.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyCheck {
    /// Product code.
    pub product: String,
    /// API version.
    pub version: String,
    /// Action.
    pub action: String,
    /// What it changes; null where nobody has judged it.
    pub effect: Option<String>,
    /// For a restricted key.
    pub restricted: PerProfile<Judgement>,
    /// For a key whose restriction was widened.
    pub widened: PerProfile<Judgement>,
}

/// An operation that the two profiles treat differently.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyDifference {
    /// Product code.
    pub product: String,
    /// API version.
    pub version: String,
    /// Action; `*` for all actions not named.
    pub action: String,
    /// Under the profile `mutations`.
    pub mutations: Judgement,
    /// Under the profile `strict`.
    pub strict: Judgement,
}

/// How the profiles differ.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyDiff {
    /// Sorted by product, version and action.
    pub differences: Vec<PolicyDifference>,
}

/// What to replay.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReplayQuery {
    /// The profile to replay under.
    #[param(value_type = ProfileName, inline)]
    pub profile: Profile,
    /// `restricted`: keys that were restricted when they called; `all`: all keys, as if every one had leaked.
    #[serde(default)]
    #[param(inline, nullable = false)]
    pub keys: ReplayedKeys,
    /// Number of days to look back.
    #[serde(default = "two_weeks", deserialize_with = "days")]
    #[param(minimum = 1, maximum = 14, default = 14, nullable = false)]
    pub days: i64,
    /// Maximum number of rows.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize<1000>,
}

fn two_weeks() -> i64 {
    14
}

fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    in_range(Some(i64::deserialize(deserializer)?), 1..=14)
}

akgate_rules::text_enum! {
    /// Whose calls to replay.
    #[derive(Default, ToSchema)]
    pub enum ReplayedKeys {
        /// Keys that were restricted when they called.
        #[default]
        Restricted = "restricted",
        /// All keys, as if every one had leaked.
        All = "all",
    }
}

/// Calls that would have been refused.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PolicyReplay {
    /// Start of the period.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// Calls by key and action, most frequent first.
    pub calls: Vec<ReplayedCalls>,
    /// Whether there are more rows than shown.
    pub is_truncated: bool,
}
