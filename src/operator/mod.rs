//! Operators: who may use the admin API, and with which token.

pub mod store;
pub mod token;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What an operator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read the notices of accounts and report bounces: a program.
    Service,
    /// Read.
    Viewer,
    /// Read, report, confirm and lift.
    Operator,
}

impl Role {
    /// Every role, the mightier later.
    pub const ALL: [Self; 3] = [Self::Service, Self::Viewer, Self::Operator];

    /// The name in the database and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
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
#[error("`{0}` is none of service, viewer, operator")]
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

/// An operator whose token was good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// How the audit names them.
    pub name: String,
    /// What they may do.
    pub role: Role,
}
