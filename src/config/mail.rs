//! `[mail]`: letters to account owners.

use std::path::PathBuf;

use confique::Config;
use serde::Deserialize;

use super::Secret;

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
    /// "smtp", or "folder": one .eml file per letter, to look at.
    #[config(env = "AKGATE_MAIL_TRANSPORT", default = "smtp")]
    pub transport: TransportChoice,
    /// The folder.
    #[config(env = "AKGATE_MAIL_FOLDER")]
    pub folder: Option<PathBuf>,
    /// The mail server's name, as its certificate has it.
    #[config(env = "AKGATE_MAIL_HOST")]
    pub host: Option<String>,
    /// The mail server's port.
    #[config(env = "AKGATE_MAIL_PORT", default = 587)]
    pub port: u16,
    /// "starttls", "tls", or "none" for a server on the same machine. Without STARTTLS nothing is sent.
    #[config(env = "AKGATE_MAIL_ENCRYPTION", default = "starttls")]
    pub encryption: EncryptionChoice,
    /// User of the mail server.
    #[config(env = "AKGATE_MAIL_USERNAME")]
    pub username: Option<String>,
    /// Password of that user. A secret.
    #[config(env = "AKGATE_MAIL_PASSWORD")]
    pub password: Option<Secret>,
    /// A file that holds the password.
    #[config(env = "AKGATE_MAIL_PASSWORD_FILE")]
    pub password_file: Option<PathBuf>,
    /// A certificate authority of your own for the mail server, a PEM file.
    #[config(env = "AKGATE_MAIL_CA")]
    pub ca: Option<PathBuf>,
    /// Who writes: "akgate <akgate@example.com>".
    #[config(env = "AKGATE_MAIL_FROM")]
    pub from: Option<String>,
    /// Sign letters (DKIM) for the domain of `from`: the selector of the public key.
    #[config(env = "AKGATE_MAIL_DKIM_SELECTOR")]
    pub dkim_selector: Option<String>,
    /// The private key for that, RSA or Ed25519, a PEM file.
    #[config(env = "AKGATE_MAIL_DKIM_KEY_FILE")]
    pub dkim_key_file: Option<PathBuf>,
    /// Whom owners ask: an address or a telephone number, as letters show it. Default: `from`.
    #[config(env = "AKGATE_MAIL_SUPPORT")]
    pub support: Option<String>,
    /// A telephone number that letters name for those who need help at once.
    #[config(env = "AKGATE_MAIL_HOTLINE")]
    pub hotline: Option<String>,
    /// Where owners open a ticket: an address that letters name.
    #[config(env = "AKGATE_MAIL_TICKET_URL")]
    pub ticket_url: Option<String>,
    /// A folder of templates that take the place of the built-in ones of the same name (en/imposed.md).
    #[config(env = "AKGATE_MAIL_TEMPLATES")]
    pub templates: Option<PathBuf>,
}
