//! Handing a message over: to a mail server, or to a folder.

mod folder;
mod handover;
mod smtp;

pub use self::{
    folder::FolderMailer,
    handover::Mailer,
    smtp::{Encryption, SmtpMailer, SmtpSettings, SmtpSetupFault},
};
