//! Sending by SMTP (RFC 5321), over lettre's pool of connections.

use std::time::Duration;

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

use super::handover::Mailer;
use akgate_state::outbox::queue::SendFault;

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all: for a server on this machine.
    None,
    /// By STARTTLS, which is required: a server that does not offer it gets nothing.
    StartTls,
    /// From the first byte.
    Tls,
}

/// How the mail server is reached.
pub struct SmtpSettings {
    /// Its name, which its certificate must bear.
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
    #[error("cannot set up the connection to the mail server: {0}")]
    Smtp(#[from] lettre::transport::smtp::Error),
    /// A password would cross the network in the clear.
    #[error("a password needs encryption: set `encryption` to \"starttls\" or \"tls\"")]
    LoginInTheClear,
}

/// Sends by SMTP.
pub struct SmtpMailer(AsyncSmtpTransport<Tokio1Executor>);

impl SmtpMailer {
    /// A mailer that has not connected yet. To be called on a tokio runtime, which its pool needs.
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

    /// Connects and logs in, without sending anything.
    ///
    /// # Errors
    /// What the server said, or why it could not be asked, in words.
    pub async fn check(&self) -> Result<(), String> {
        match self.0.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("the server does not accept our commands".to_owned()),
            Err(fault) => Err(describe_causes(&fault)),
        }
    }
}

impl Mailer for SmtpMailer {
    fn send<'s>(&'s self, _: &'s str, message: Message) -> BoxFuture<'s, Result<(), SendFault>> {
        // In a task of its own, which nobody cuts short: a connection that is dropped in the middle of a
        // conversation goes back to lettre's pool, and the next letter would read the answers to this one.
        let sending = tokio::spawn(send_message(self.0.clone(), message));
        Box::pin(async move {
            match sending.await {
                Ok(delivered) => delivered,
                Err(fault) => Err(SendFault::temporary(fault.to_string())),
            }
        })
    }
}

async fn send_message(
    server: AsyncSmtpTransport<Tokio1Executor>,
    message: Message,
) -> Result<(), SendFault> {
    let Err(fault) = server.send(message).await else {
        return Ok(());
    };
    let said = fault.to_string();
    // A server that refuses the connection or the login has not seen the message, whatever it answers.
    if !server.test_connection().await.unwrap_or(false) {
        return Err(SendFault::ServerAway(said));
    }
    // 5xx: this message will not be taken, today or tomorrow (RFC 5321, section 4.2.1).
    if fault.is_permanent() {
        return Err(SendFault::unreachable(said));
    }
    Err(SendFault::temporary(said))
}

/// The error with its causes: the outermost says only which step failed.
fn describe_causes(fault: &dyn std::error::Error) -> String {
    let mut said = fault.to_string();
    let mut cause = fault.source();
    while let Some(fault) = cause {
        let text = fault.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = fault.source();
    }
    said
}
