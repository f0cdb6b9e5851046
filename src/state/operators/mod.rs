//! Operators: who may use the admin API. An operator has a token or a client certificate; signing in with an identity
//! provider gives a token.

pub mod certificate;
pub mod guesses;
pub mod idempotency;
pub mod login;
pub mod store;
pub mod token;

use crate::audit::Actor;
use akgate_api::operators::Role;

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
