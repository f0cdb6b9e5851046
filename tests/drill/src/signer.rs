//! Calls of a key: signed, marked, sent to a node, and noted.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use akgate_client::signer::{ApiCall, sign_request};
use akgate_state::clock::{Clock as _, SystemClock};
use http::Uri;
use serde_json::Value;

use crate::{
    Result,
    clock::Moment,
    connections::{Connections, Exchange},
    keys::Key,
    upstream,
};

const RAM: &str = "2015-05-01";
const IMS: &str = "2019-08-15";

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A mutation of an identity.
    CreateUser,
    /// A mutation of a credential, of another user.
    CreateAccessKey,
    /// A read that discloses a secret.
    GetAppSecret,
    /// An action that the catalogue does not know.
    Unknown,
    /// A read: refused under `strict` alone.
    ListUsers,
}

impl Kind {
    /// What a restricted key may never do.
    pub const FORBIDDEN: [Self; 4] = [
        Self::CreateUser,
        Self::CreateAccessKey,
        Self::GetAppSecret,
        Self::Unknown,
    ];

    /// The same, and what it may not do in a strict account.
    pub const FORBIDDEN_UNDER_STRICT: [Self; 5] = [
        Self::CreateUser,
        Self::CreateAccessKey,
        Self::GetAppSecret,
        Self::Unknown,
        Self::ListUsers,
    ];

    /// Version, action and the parameter that carries the mark.
    fn spelling(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::CreateUser => (RAM, "CreateUser", "UserName"),
            Self::CreateAccessKey => (RAM, "CreateAccessKey", "UserName"),
            Self::GetAppSecret => (IMS, "GetAppSecret", "AppSecretId"),
            Self::Unknown => (RAM, "GrantEverything", "UserName"),
            Self::ListUsers => (RAM, "ListUsers", "Marker"),
        }
    }

    /// Its action.
    #[must_use]
    pub fn action(self) -> &'static str {
        self.spelling().1
    }
}

/// How a call ended for its caller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// Status, and code where it has one.
    Answered(u16, String),
    /// Nothing came back: the connection broke, or the caller waited in vain.
    Unanswered,
}

impl Answer {
    /// Whether it is of a node that has what it needs, whatever it decided.
    #[must_use]
    pub fn is_of_a_well_node(&self) -> bool {
        matches!(self, Self::Answered(status, _) if *status < 500)
    }
}

/// A call that was sent.
#[derive(Debug, Clone)]
pub struct Call {
    /// The mark that the upstream knows it by.
    pub mark: u64,
    /// The key that signed it.
    pub key: Key,
    /// What was called.
    pub kind: Kind,
    /// Before its first byte was written.
    pub sent: Moment,
    /// When it was answered, or given up.
    pub ended: Moment,
    /// How it ended.
    pub answer: Answer,
}

/// Signs and sends calls.
#[derive(Debug, Clone)]
pub struct Signer {
    connections: Connections,
    marks: Arc<AtomicU64>,
}

impl Signer {
    /// One that sends over these connections.
    #[must_use]
    pub fn new(connections: Connections) -> Self {
        Self {
            connections,
            marks: Arc::default(),
        }
    }

    /// Sends one call to a gateway.
    ///
    /// # Errors
    /// Where it cannot be signed; a call that is not answered is no error.
    pub async fn call(
        &self,
        gateway: SocketAddr,
        key: Key,
        kind: Kind,
        patience: Duration,
    ) -> Result<Call> {
        let mark = self.marks.fetch_add(1, Ordering::Relaxed);
        let value = upstream::mark(mark);
        let (version, action, parameter) = kind.spelling();
        let parameters: &[_] = match kind {
            Kind::GetAppSecret => &[("AppId", "1"), (parameter, &value)],
            _ => &[(parameter, &value)],
        };
        let api = ApiCall {
            version,
            action,
            parameters,
        };
        let url = format!("http://{gateway}");
        let mut request = sign_request(&url, &key.credentials(), api, SystemClock.now())?;
        if let Some(target) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = Uri::from(target);
        }
        let exchange = self.connections.send(gateway, request, patience).await;
        Ok(Call {
            mark,
            key,
            kind,
            sent: exchange.sent,
            ended: exchange.ended,
            answer: read(&exchange),
        })
    }
}

fn read(exchange: &Exchange) -> Answer {
    match &exchange.reply {
        Ok(reply) => {
            let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let code = body.get("Code").and_then(Value::as_str).unwrap_or_default();
            Answer::Answered(reply.status.as_u16(), code.to_owned())
        }
        Err(_) => Answer::Unanswered,
    }
}
