//! Handing a message over: to a mail server, or to a folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_core::future::BoxFuture;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};
use zeroize::Zeroizing;

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailFault {
    /// It may be taken later.
    #[error("{0}")]
    Again(String),
    /// It will never be taken.
    #[error("{0}")]
    Never(String),
}

/// Takes messages.
pub trait Mailer: Send + Sync {
    /// Hands a message over. `name` is the letter's id.
    fn send<'s>(&'s self, name: &'s str, message: Message) -> BoxFuture<'s, Result<(), MailFault>>;
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all: for a server on the same machine.
    None,
    /// By STARTTLS, without which nothing is sent.
    StartTls,
    /// From the first byte.
    Tls,
}

/// How the mail server is reached.
#[derive(Clone)]
pub struct SmtpSettings {
    /// Its name, as its certificate has it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub encryption: Encryption,
    /// User and password.
    pub login: Option<(String, Zeroizing<String>)>,
    /// A certificate authority of one's own, PEM.
    pub ca: Option<Vec<u8>>,
    /// How long a step of the conversation may take.
    pub timeout: Duration,
}

/// A mail server that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SmtpSetupFault {
    /// A certificate or a name is wrong.
    #[error("the mail server cannot be set up: {0}")]
    Smtp(#[from] lettre::transport::smtp::Error),
    /// A password would cross the network in the clear.
    #[error("a password needs encryption: set `encryption` to \"starttls\" or \"tls\"")]
    LoginInTheClear,
}

/// Sends by SMTP (RFC 5321), over a pool of connections.
pub struct SmtpMailer(AsyncSmtpTransport<Tokio1Executor>);

impl SmtpMailer {
    /// A mailer that has not connected yet.
    ///
    /// # Errors
    /// [`SmtpSetupFault`].
    pub fn new(settings: SmtpSettings) -> Result<Self, SmtpSetupFault> {
        let SmtpSettings {
            host,
            port,
            encryption,
            login,
            ca,
            timeout,
        } = settings;
        if encryption == Encryption::None && login.is_some() {
            return Err(SmtpSetupFault::LoginInTheClear);
        }
        let mut tls = TlsParameters::builder(host.clone());
        if let Some(pem) = ca {
            tls = tls.add_root_certificate(Certificate::from_pem(&pem)?);
        }
        let tls = match encryption {
            Encryption::None => Tls::None,
            Encryption::StartTls => Tls::Required(tls.build()?),
            Encryption::Tls => Tls::Wrapper(tls.build()?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port)
            .tls(tls)
            .hello_name(ClientId::default())
            .timeout(Some(timeout));
        if let Some((user, password)) = login {
            builder = builder.credentials(Credentials::new(user, password.to_string()));
        }
        Ok(Self(builder.build()))
    }
}

impl Mailer for SmtpMailer {
    fn send<'s>(&'s self, _: &'s str, message: Message) -> BoxFuture<'s, Result<(), MailFault>> {
        Box::pin(async move {
            match self.0.send(message).await {
                Ok(_) => Ok(()),
                // 5xx: this message will not be taken, today or tomorrow (RFC 5321, section 4.2.1).
                Err(fault) if fault.is_permanent() => Err(MailFault::Never(fault.to_string())),
                Err(fault) => Err(MailFault::Again(fault.to_string())),
            }
        })
    }
}

/// Writes letters into a folder, one `.eml` file each: for the demo, for tests, and to look at them.
pub struct FolderMailer(PathBuf);

impl FolderMailer {
    /// A mailer for a folder that exists.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }
}

impl Mailer for FolderMailer {
    fn send<'s>(&'s self, name: &'s str, message: Message) -> BoxFuture<'s, Result<(), MailFault>> {
        Box::pin(async move {
            let (folder, name) = (self.0.clone(), name.to_owned());
            let written =
                tokio::task::spawn_blocking(move || write(&folder, &name, &message.formatted()));
            match written.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(fault)) => Err(MailFault::Again(format!("{}: {fault}", self.0.display()))),
                Err(fault) => Err(MailFault::Again(fault.to_string())),
            }
        })
    }
}

/// Under another name first: who reads the folder never sees half a letter.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let half = folder.join(format!("{name}.part"));
    fs::write(&half, bytes)?;
    fs::rename(half, folder.join(format!("{name}.eml")))
}
