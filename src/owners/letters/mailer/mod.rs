//! Handing a message over: to a mail server, or to a folder.

mod folder;
mod smtp;

use futures_core::future::BoxFuture;
use lettre::Message;

use akgate_state::outbox::queue::SendFault;

pub use self::{
    folder::FolderMailer,
    smtp::{Encryption, SmtpMailer, SmtpSettings, SmtpSetupFault},
};

/// Takes messages.
pub trait Mailer: Send + Sync {
    /// Hands a message over. `name` is the letter's own, the same on every attempt.
    fn send<'s>(&'s self, name: &'s str, message: Message) -> BoxFuture<'s, Result<(), SendFault>>;
}
