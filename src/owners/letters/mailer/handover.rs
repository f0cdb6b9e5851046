//! What every mailer does with a message.

use futures_core::future::BoxFuture;
use lettre::Message;

use akgate_state::outbox::queue::SendFault;

/// Takes messages.
pub trait Mailer: Send + Sync {
    /// Hands a message over. `name` is the letter's own, the same on every attempt.
    fn send<'s>(&'s self, name: &'s str, message: Message) -> BoxFuture<'s, Result<(), SendFault>>;
}
