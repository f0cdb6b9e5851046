//! The interface of mailers.

use futures_core::future::BoxFuture;
use lettre::Message;

use akgate_state::outbox::queue::SendFault;

/// Sends messages.
pub trait Mailer: Send + Sync {
    /// Sends a message. `name` identifies the letter, and is the same on every attempt.
    fn send<'s>(&'s self, name: &'s str, message: Message) -> BoxFuture<'s, Result<(), SendFault>>;
}
