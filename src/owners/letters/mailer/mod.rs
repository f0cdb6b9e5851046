//! Mailers: send a message to a mail server, or write it to a folder.

mod folder;
mod handover;
mod smtp;

pub use self::{
    folder::FolderMailer,
    handover::Mailer,
    smtp::{Encryption, SmtpMailer, SmtpSettings, SmtpSetupFault},
};
