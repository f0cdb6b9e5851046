//! What every mailer does with a message.

use futures_core::future::BoxFuture;
use lettre::Message;

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailFault {
    /// It may be taken later.
    #[error("{0}")]
    Again(String),
    /// It will never be taken.
    #[error("{0}")]
    Never(String),
    /// The mail server takes no message at all just now.
    #[error("{0}")]
    Away(String),
}

/// Takes messages.
pub trait Mailer: Send + Sync {
    /// Hands a message over. `name` is the letter's own, the same on every attempt.
    fn send<'s>(&'s self, name: &'s str, message: Message) -> BoxFuture<'s, Result<(), MailFault>>;
}
