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

/// How long an answer may take: undoing a delivery of thousands of keys takes a while.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest answer, in bytes.
const MAX_RESPONSE_BYTES: usize = 64 << 20;

/// A client of one akgate server, as one operator.
pub struct AdminClient {
    client: BoundedClient,
    server: Uri,
    /// `None` before signing in, or if a client certificate is enough.
    token: Option<OperatorToken>,
    /// The file of the token, if it is in one.
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

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiFault {
    /// The server does not answer.
    #[error("{server} {fault}")]
    NoAnswer {
        /// The server.
        server: String,
        /// The reason.
        fault: CallFault,
    },
    /// The server refused the request, with problem details (RFC 9457).
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
    /// Something other than akgate answers.
    #[error("{server} responds with status {status}, but not like akgate's admin API")]
    NotAkgate {
        /// The server.
        server: String,
        /// The HTTP status.
        status: StatusCode,
    },
    /// The requested object does not exist.
    #[error("{0}")]
    NotFound(String),
    /// A local operation failed: what was used, and the error.
    #[error("{0}: {1}")]
    Here(String, io::Error),
    /// The answer lacks a member, or a member has another type.
    #[error("cannot read the answer: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// The output cannot be written to.
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
    /// A client with a token or a client certificate.
    pub fn new(connection: &Connection) -> Result<Self, ClientSetupFault> {
        let (target, token) = connection.resolve()?;
        let token = match token {
            Err(ProfileFault::NoToken(_)) if target.certificate.is_some() => None,
            token => Some(token?),
        };
        Self::of(target, token)
    }

    /// A client without a token, for signing in.
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

    /// Sends a request that must not be repeated.
    pub async fn post_without_retry(&self, path: &str, body: &Value) -> Result<Value, ApiFault> {
        self.ask(Method::POST, path, Some(body), None).await
    }

    /// Sends a request, and sends it again with the same Idempotency-Key if no answer came.
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

/// Percent-encodes one segment of a path.
pub(super) fn path_segment(text: &str) -> impl std::fmt::Display + '_ {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
}
