//! Operators, their roles and their tokens.

use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::values::{BoundedText, PageSize, check_plain, checked_text, whole_number};

/// How long a token lasts where nothing else is asked for, in days.
pub const TOKEN_DAYS: u16 = 90;

/// How long a token lasts at most.
pub const MOST_TOKEN_DAYS: u16 = 366;

akgate_rules::text_enum! {
    /// An operator's role: what they may do.
    #[derive(PartialOrd, Ord, ToSchema)]
    pub enum Role {
        /// Read the notices of accounts and report bounces: for programs.
        Service = "service",
        /// Read.
        Viewer = "viewer",
        /// Read, report leaks, confirm and lift.
        Operator = "operator",
        /// Everything an operator may do, and approve what others request.
        Approver = "approver",
        /// Everything an approver may do, and manage operators and their tokens.
        Admin = "admin",
    }
}

/// A right that an endpoint requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// Use the endpoints for the cloud's own programs.
    Serve,
    /// Read everything.
    Read,
    /// Change restrictions, tasks and letters.
    Act,
    /// Decide on other operators' requests.
    Approve,
    /// Manage operators and their tokens.
    Manage,
}

impl Role {
    /// Whether the role includes a right. The role `service` is separate from the roles of people.
    #[must_use]
    pub fn may(self, right: Right) -> bool {
        match right {
            Right::Serve => self == Self::Service,
            Right::Read => self >= Self::Viewer,
            Right::Act => self >= Self::Operator,
            Right::Approve => self >= Self::Approver,
            Right::Manage => self == Self::Admin,
        }
    }
}

/// An operator.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Operator)]
pub struct OperatorView {
    /// The name in the audit log.
    pub name: String,
    /// The role.
    pub role: Role,
    /// When the operator was added.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the operator was revoked.
    #[serde(with = "time::serde::rfc3339::option")]
    pub revoked_at: Option<OffsetDateTime>,
    /// The operator's tokens, newest first.
    pub tokens: Vec<TokenView>,
}

/// A token, without its secret part.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenView {
    /// The part that identifies the token: what follows `akg_`.
    pub token_id: String,
    /// The most that the token allows.
    pub role: Role,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Who created it: `operator:NAME`, or `akgate` for the command line.
    pub created_by: String,
    /// When it expires.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// When it was revoked.
    #[serde(with = "time::serde::rfc3339::option")]
    pub revoked_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_used_at: Option<OffsetDateTime>,
    /// The address that it was last used from.
    pub last_used_from: Option<String>,
}

/// Which operators to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OperatorFilter {
    /// The page size.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize,
    /// The `next_page_token` of the previous page.
    #[param(inline, nullable = false)]
    pub page_token: Option<BoundedText<64>>,
}

/// A page of results.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OperatorPage {
    /// Sorted by name.
    pub operators: Vec<OperatorView>,
    /// Send this as `page_token` to get the next page; null on the last page.
    pub next_page_token: Option<String>,
}

/// The new operator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOperator {
    /// The name in the audit log; it is never reused.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9._@-]{1,64}$", max_length = 64)]
    pub name: OperatorName,
    /// The role.
    pub role: Role,
    /// How many days the first token is valid.
    #[serde(default = "default_token_days", deserialize_with = "token_days")]
    #[schema(minimum = 1, maximum = 366, default = 90)]
    pub token_days: u16,
    /// Create no token: for operators who sign in with a provider or use a certificate.
    #[serde(default)]
    pub no_token: bool,
}

/// A token, shown only this once.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct NewTokenReceipt {
    /// The operator it belongs to.
    pub name: String,
    /// The most that the token allows.
    pub role: Role,
    /// The part that identifies it; null if no token was made.
    pub token_id: Option<String>,
    /// The token. akgate does not store it.
    pub token: Option<String>,
    /// When it expires.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
}

/// The new token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTokenRequest {
    /// The most that the token allows: no more than the operator's own role.
    pub role: Role,
    /// How many days it is valid.
    #[serde(default = "default_token_days", deserialize_with = "token_days")]
    #[schema(minimum = 1, maximum = 366, default = 90)]
    pub token_days: u16,
}

/// What was revoked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Revoked {
    /// The operator's name, or the token's id.
    pub revoked: String,
}

/// The caller.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CurrentOperator {
    /// The operator's name in the audit log.
    pub name: String,
    /// What this token allows.
    pub role: Role,
    /// The token of this request; null if the caller used a certificate.
    pub token: Option<TokenView>,
}

fn default_token_days() -> u16 {
    TOKEN_DAYS
}

fn token_days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    whole_number(deserializer, 1..=MOST_TOKEN_DAYS.into())
}

checked_text! {
    /// An operator's name, as used in paths and in the audit log.
    pub OperatorName, |text| check_plain(text, 1..=64, "._@-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_have_the_documented_rights() {
        use Right::{Act, Approve, Manage, Read, Serve};
        for (role, may) in [
            (Role::Service, &[Serve][..]),
            (Role::Viewer, &[Read]),
            (Role::Operator, &[Read, Act]),
            (Role::Approver, &[Read, Act, Approve]),
            (Role::Admin, &[Read, Act, Approve, Manage]),
        ] {
            for right in [Serve, Read, Act, Approve, Manage] {
                assert_eq!(role.may(right), may.contains(&right), "{role} {right:?}");
            }
            assert_eq!(role.as_str().parse(), Ok(role));
        }
    }
}
