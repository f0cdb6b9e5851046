//! Operators: who may use the admin API, and how each is known: by a token, by a certificate, or by a provider of
//! identities that a token is made for.

pub mod certificate;
pub mod guesses;
pub mod login;
pub mod once;
pub mod store;
pub mod token;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::audit::Actor;

/// An operator's role: what they may do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read the notices of accounts and report bounces: for programs.
    Service,
    /// Read.
    Viewer,
    /// Read, report leaks, confirm and lift.
    Operator,
    /// Everything an operator may do, and approve what others request.
    Approver,
    /// Everything an approver may do, and manage operators and their tokens.
    Admin,
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// For the cloud's own programs.
    Serve,
    /// Looks, and changes nothing.
    Read,
    /// Changes what is restricted, or who is told.
    Act,
    /// Decides what somebody else asks for.
    Approve,
    /// Changes who may do what.
    Manage,
}

impl Role {
    /// Every role, the mightier later.
    pub const ALL: [Self; 5] = [
        Self::Service,
        Self::Viewer,
        Self::Operator,
        Self::Approver,
        Self::Admin,
    ];

    /// The name in the database and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }

    /// Whether the role goes that far. A program has nothing to do with what people do, nor they with its.
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

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role: use service, viewer, operator, approver or admin")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// An operator whose token or certificate was good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Which one: names can be given again, this cannot.
    pub operator_id: String,
    /// How the audit names them.
    pub name: String,
    /// What they may do with this token.
    pub role: Role,
    /// The token; `None` where a certificate says who it is.
    pub token_id: Option<String>,
}

impl Operator {
    /// How the audit names them.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Operator(self.name.clone())
    }
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
