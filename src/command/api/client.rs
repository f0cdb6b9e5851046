//! The admin API's client.

use std::{io, path::PathBuf, time::Duration};

use http::{
    Method, Request, StatusCode, Uri,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::Value;

use super::profile::{Connection, ConnectionTarget, ProfileFault};
use crate::command::CommandExit;
use akgate_api::problem::ProblemDetails;
use akgate_net::https::{self, BoundedClient, CallFault, TrustFault};
use akgate_state::operators::token::OperatorToken;

/// How long an answer may take: an undoing of thousands of keys takes its time.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest answer, in bytes.
const MAX_RESPONSE_BYTES: usize = 64 << 20;

/// Asks one akgate, as one operator.
pub struct AdminClient {
    client: BoundedClient,
    server: Uri,
    /// `None` of who is not known yet, or by a certificate alone.
    token: Option<OperatorToken>,
    /// Where it is kept, if in a file.
    pub(super) token_file: Option<PathBuf>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientSetupFault {
    #[error(transparent)]
    Profile(#[from] ProfileFault),
    #[error(transparent)]
    Tls(#[from] TrustFault),
}

impl ClientSetupFault {
    pub(super) fn exit(&self) -> CommandExit {
        match self {
            Self::Profile(ProfileFault::NoToken(_) | ProfileFault::Token(..)) => {
                CommandExit::Denied
            }
            Self::Profile(_) | Self::Tls(_) => CommandExit::Usage,
        }
    }
}

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum ApiFault {
    /// Nobody answers.
    #[error("{server} {fault}")]
    NoAnswer {
        /// Who.
        server: String,
        /// Why.
        fault: CallFault,
    },
    /// It was refused, with problem details (RFC 9457).
    #[error("{title} {detail}")]
    Problem {
        /// The HTTP status.
        status: StatusCode,
        /// The stable kind, without `urn:akgate:problem:`.
        kind: String,
        /// The kind in words.
        title: String,
        /// What was wrong, and what to do.
        detail: String,
    },
    /// Something else than akgate answers.
    #[error("{server} responds with status {status}, but not like akgate's admin API")]
    NotAkgate {
        /// Who.
        server: String,
        /// With what.
        status: StatusCode,
    },
    /// There is nothing of that kind.
    #[error("{0}")]
    NotFound(String),
    /// This machine does not do its part.
    #[error("{0}: {1}")]
    Here(String, io::Error),
    /// An answer that lacks something, or has it otherwise.
    #[error("cannot read the answer: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Nobody reads the output.
    #[error(transparent)]
    Output(#[from] io::Error),
}

impl ApiFault {
    pub(super) fn exit(&self) -> CommandExit {
        match self {
            Self::Problem { status, .. } => match *status {
                StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::TOO_MANY_REQUESTS => CommandExit::Denied,
                StatusCode::BAD_REQUEST => CommandExit::Usage,
                _ => CommandExit::Failed,
            },
            _ => CommandExit::Failed,
        }
    }

    /// The command that helps.
    pub(super) fn next(&self) -> Option<&'static str> {
        let Self::Problem { kind, .. } = self else {
            return match self {
                Self::NotFound(_) => Some("akgate restrictions list"),
                Self::NoAnswer { .. } | Self::NotAkgate { .. } => {
                    Some("check --server, and whether `akgate serve` runs there")
                }
                _ => None,
            };
        };
        match kind.as_str() {
            "unauthorized" | "forbidden" => Some(
                "ask an admin to run `akgate operators token NAME --role ROLE`, or run `akgate operators add` on a node",
            ),
            "not-confirmed" => Some(
                "akgate restrictions confirm ID --ticket NUMBER, or lift with --accept-no-confirmation",
            ),
            "key-active" => Some("akgate restrictions lift ID … --accept-active-key"),
            "not-restricted" => Some("akgate restrictions list --key ID"),
            "exception-over" => Some("akgate exceptions list --all"),
            "letter-due" | "letter-settled" => Some("akgate letters show ID"),
            "own-approval" => Some("akgate approvals withdraw ID"),
            "already-requested"
            | "approval-not-pending"
            | "approval-expired"
            | "requester-revoked" => Some("akgate approvals list"),
            _ => None,
        }
    }
}

impl AdminClient {
    /// As an operator, by token or certificate.
    pub fn new(connection: &Connection) -> Result<Self, ClientSetupFault> {
        let (target, token) = connection.resolve()?;
        let token = match token {
            Err(ProfileFault::NoToken(_)) if target.certificate.is_some() => None,
            token => Some(token?),
        };
        Self::of(target, token)
    }

    /// As somebody who has no token yet.
    pub fn without_token(connection: &Connection) -> Result<Self, ClientSetupFault> {
        let (target, _) = connection.resolve()?;
        Self::of(target, None)
    }

    fn of(
        target: ConnectionTarget,
        token: Option<OperatorToken>,
    ) -> Result<Self, ClientSetupFault> {
        let ca = target.ca.as_deref();
        let tls = match &target.certificate {
            Some(own) => https::mutual_client_config(ca, &own.chain, &own.key)?,
            None => https::client_config(ca)?,
        };
        Ok(Self {
            client: BoundedClient::new(tls, REQUEST_TIMEOUT, MAX_RESPONSE_BYTES),
            server: target.server,
            token,
            token_file: target.token_file,
        })
    }

    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, ApiFault> {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(query);
        let query = pairs.finish();
        let separator = if query.is_empty() { "" } else { "?" };
        let path = format!("{path}{separator}{query}");
        self.ask(Method::GET, &path, None, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ApiFault> {
        self.change(Method::POST, path, body).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, ApiFault> {
        self.change(Method::PUT, path, body).await
    }

    /// Sent once, whatever comes of it.
    pub async fn post_without_retry(&self, path: &str, body: &Value) -> Result<Value, ApiFault> {
        self.ask(Method::POST, path, Some(body), None).await
    }

    /// Sent once more where no answer came: the key tells that it is the same request.
    async fn change(&self, method: Method, path: &str, body: &Value) -> Result<Value, ApiFault> {
        let key = uuid::Uuid::new_v4().to_string();
        let send = async || self.ask(method.clone(), path, Some(body), Some(&key)).await;
        match send().await {
            Err(ApiFault::NoAnswer { .. }) => send().await,
            answer => answer,
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<Value, ApiFault> {
        let server = self.server.to_string();
        let server = server.trim_end_matches('/');
        let silent = |fault| ApiFault::NoAnswer {
            server: server.to_owned(),
            fault,
        };
        let text = body.map(Value::to_string).unwrap_or_default();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{server}/admin/v1/{path}"))
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = self.client.send(request, text).await.map_err(silent)?;
        let (head, body) = answer.into_parts();
        let (status, body) = (head.status, body.map_err(silent)?);
        let foreign = |_| ApiFault::NotAkgate {
            server: server.to_owned(),
            status,
        };
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(foreign);
        }
        let problem: ProblemDetails = serde_json::from_slice(&body).map_err(foreign)?;
        Err(ApiFault::Problem {
            status,
            kind: problem
                .r#type
                .trim_start_matches("urn:akgate:problem:")
                .to_owned(),
            title: problem.title,
            detail: problem.detail,
        })
    }
}

/// A part of a path, whatever it is made of.
pub(super) fn path_segment(text: &str) -> impl std::fmt::Display + '_ {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
}
