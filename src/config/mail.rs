//! `[mail]`: letters to account owners.

use std::path::PathBuf;

use confique::Config;
use serde::Deserialize;

use super::{error::ConfigError, secret::ConfigSecret, text::ConfigText};

/// Where letters go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransportChoice {
    /// To a mail server.
    Smtp,
    /// Into a folder.
    Folder,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EncryptionChoice {
    /// Not at all.
    None,
    /// By STARTTLS.
    StartTls,
    /// From the first byte.
    Tls,
}

/// `[mail]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct MailSection {
    /// "smtp", or "folder" to write one .eml file per letter for inspection.
    #[config(env = "AKGATE_MAIL_TRANSPORT", default = "smtp")]
    pub transport: TransportChoice,
    /// The folder for `transport = "folder"`.
    #[config(env = "AKGATE_MAIL_FOLDER")]
    pub folder: Option<PathBuf>,
    /// Host name of the mail server, as in its certificate.
    #[config(env = "AKGATE_MAIL_HOST")]
    pub host: Option<String>,
    /// Port of the mail server.
    #[config(env = "AKGATE_MAIL_PORT", default = 587)]
    pub port: u16,
    /// "starttls", "tls", or "none" for a server on the same machine. If the server lacks STARTTLS, nothing is sent.
    #[config(env = "AKGATE_MAIL_ENCRYPTION", default = "starttls")]
    pub encryption: EncryptionChoice,
    /// User name at the mail server.
    #[config(env = "AKGATE_MAIL_USERNAME")]
    pub username: Option<String>,
    /// Password of that user. A secret.
    #[config(env = "AKGATE_MAIL_PASSWORD")]
    pub password: Option<ConfigSecret>,
    /// A file that holds the password.
    #[config(env = "AKGATE_MAIL_PASSWORD_FILE")]
    pub password_file: Option<PathBuf>,
    /// CA certificate of the mail server if it is not public, a PEM file.
    #[config(env = "AKGATE_MAIL_CA")]
    pub ca: Option<PathBuf>,
    /// Sender: "akgate <akgate@example.com>".
    #[config(env = "AKGATE_MAIL_FROM")]
    pub from: Option<String>,
    /// Sign letters (DKIM) for the domain of `from`: the selector of the public key.
    #[config(env = "AKGATE_MAIL_DKIM_SELECTOR")]
    pub dkim_selector: Option<String>,
    /// Private key for DKIM, RSA or Ed25519, a PEM file.
    #[config(env = "AKGATE_MAIL_DKIM_KEY_FILE")]
    pub dkim_key_file: Option<PathBuf>,
    /// Contact for owners' questions, as shown in letters: an address or a telephone number. Default: `from`.
    #[config(env = "AKGATE_MAIL_SUPPORT")]
    pub support: Option<String>,
    /// A telephone number for urgent help, shown in letters.
    #[config(env = "AKGATE_MAIL_HOTLINE")]
    pub hotline: Option<String>,
    /// URL where owners can open a ticket, shown in letters.
    #[config(env = "AKGATE_MAIL_TICKET_URL")]
    pub ticket_url: Option<String>,
    /// A folder of templates that replace the built-in ones of the same name (en/imposed.md).
    #[config(env = "AKGATE_MAIL_TEMPLATES")]
    pub templates: Option<PathBuf>,
}

impl MailSection {
    pub(super) fn check(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        let Some(from) = &self.from else {
            return Err(text.missing(
                "mail.from",
                "set it to a sender like \"akgate <akgate@example.com>\"",
            ));
        };
        if from.parse::<lettre::message::Mailbox>().is_err() {
            return Err(text.wrong("mail.from", "must be \"NAME <USER@HOST>\""));
        }
        match (&self.dkim_selector, &self.dkim_key_file) {
            (Some(_), None) => {
                return Err(
                    text.missing("mail.dkim_key_file", "set it to the key that signs letters")
                );
            }
            (None, Some(_)) => {
                return Err(text.missing(
                    "mail.dkim_selector",
                    "set it to the selector of the public key in the DNS",
                ));
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        match self.transport {
            TransportChoice::Folder if self.folder.is_none() => {
                Err(text.missing("mail.folder", "set it to the folder to write letters to"))
            }
            TransportChoice::Folder => Ok(()),
            TransportChoice::Smtp if self.host.is_none() => Err(text.missing(
                "mail.host",
                "set it to the mail server's name, or set transport = \"folder\"",
            )),
            TransportChoice::Smtp if self.username.is_some() => text
                .require_secret(
                    "mail.password",
                    self.password.as_ref(),
                    self.password_file.as_ref(),
                )
                .map(drop),
            TransportChoice::Smtp => Ok(()),
        }
    }
}
