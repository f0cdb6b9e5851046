//! The operators' desk: reports of leaks and profiles of accounts, at the admin listener of any node.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Result,
    connections::{Connections, Exchange},
    keys::{Account, Key},
};

/// The part of an answer that says from where on a restriction holds.
#[derive(Debug, Clone, Deserialize)]
pub struct Position {
    /// Which history of the registry it was written in.
    pub history: Uuid,
    /// At which revision of it.
    pub revision: i64,
    /// How many nodes had applied it, where that is known.
    pub nodes: Option<u32>,
    /// Nodes that did not answer, and may not act on what they knew.
    #[serde(default)]
    pub fenced: Vec<Value>,
    /// How long the writer waited for the nodes.
    pub waited_ms: Option<u64>,
    /// Calls that had begun before, and were still on their way.
    pub calls_in_flight: Option<u64>,
}

/// The answer to a report.
#[derive(Debug, Clone, Deserialize)]
pub struct Acknowledgement {
    /// The restriction that is in force from now on.
    pub restriction_id: Uuid,
    /// From where on; `None` from a product that does not say so.
    #[serde(default, rename = "receipt")]
    pub position: Option<Position>,
}

/// A report that may be sent again and again, and is made once.
#[derive(Debug, Clone)]
pub struct Report {
    /// The key that leaked.
    pub key: Key,
    /// Names the finding.
    pub reference: Uuid,
    /// Names the request.
    pub idempotency_key: Uuid,
}

impl Report {
    /// A new report.
    #[must_use]
    pub fn new(key: Key) -> Self {
        Self {
            key,
            reference: Uuid::new_v4(),
            idempotency_key: Uuid::new_v4(),
        }
    }
}

/// What came back for a report.
#[derive(Debug)]
pub enum Outcome {
    /// The key is restricted.
    Acknowledged(Acknowledgement),
    /// The same request is still being made, or was being made by a node that was killed.
    StillRunning,
    /// It may or may not have been made: send it again.
    Again,
}

/// The tokens of two operators.
#[derive(Debug, Clone)]
pub struct Operators {
    /// Of the one who acts, and asks for what needs an approval.
    pub requester: String,
    /// Of the one who approves.
    pub approver: String,
}

/// Sends what operators ask for.
#[derive(Debug, Clone)]
pub struct Desk {
    connections: Connections,
    operators: Operators,
}

impl Desk {
    /// A desk of these operators.
    #[must_use]
    pub fn new(connections: Connections, operators: Operators) -> Self {
        Self {
            connections,
            operators,
        }
    }

    /// Sends a report once.
    ///
    /// # Errors
    /// An answer that no fault explains.
    pub async fn report(
        &self,
        admin: SocketAddr,
        report: &Report,
        patience: Duration,
    ) -> Result<(Exchange, Outcome)> {
        let body = json!({
            "access_key_id": report.key.id(),
            "source": "drill",
            "reference": report.reference.to_string(),
        });
        let key = Some(report.idempotency_key);
        let path = "/admin/v1/leak-reports";
        let requester = &self.operators.requester;
        let request = authorized(requester, Method::POST, path, key, &body)?;
        let exchange = self.connections.send(admin, request, patience).await;
        let outcome = match &exchange.reply {
            Err(_) => Outcome::Again,
            Ok(reply) if reply.status.is_success() => {
                Outcome::Acknowledged(serde_json::from_slice(&reply.body)?)
            }
            Ok(reply) if reply.status == StatusCode::CONFLICT => Outcome::StillRunning,
            Ok(reply) if reply.status.is_server_error() => Outcome::Again,
            Ok(reply) => {
                let text = String::from_utf8_lossy(&reply.body);
                return Err(format!("a report: {} {text}", reply.status).into());
            }
        };
        Ok((exchange, outcome))
    }

    /// Puts an account under `strict`.
    ///
    /// # Errors
    /// Where it is not done at once.
    pub async fn make_strict(&self, admin: SocketAddr, account: Account) -> Result<()> {
        let path = format!("/admin/v1/accounts/{}/profile", account.id());
        let body = json!({ "profile": "strict" });
        let requester = &self.operators.requester;
        let request = authorized(requester, Method::PUT, &path, None, &body)?;
        let patience = Duration::from_secs(10);
        let reply = self
            .connections
            .send(admin, request, patience)
            .await
            .reply?;
        match reply.status.is_success() {
            true => Ok(()),
            false => Err(format!("a profile: {} {:?}", reply.status, reply.body).into()),
        }
    }

    /// Lifts a restriction of an active key: one operator asks for it, the other approves. Whether the product has said
    /// that it is lifted; where not, it may be asked again.
    ///
    /// # Errors
    /// An answer that cannot be read.
    pub async fn lift(
        &self,
        admin: SocketAddr,
        restriction_id: Uuid,
        patience: Duration,
    ) -> Result<bool> {
        let Operators {
            requester,
            approver,
        } = &self.operators;
        let restriction = format!("/admin/v1/restrictions/{restriction_id}");
        let lifting = json!({
            "resolution": "UsedInTests",
            "reason": "drill",
            "accept_active_key": true,
            "accept_no_confirmation": true,
        });
        let path = format!("{restriction}:lift");
        let lifting = authorized(requester, Method::POST, &path, None, &lifting)?;
        let asked = self.ask(admin, lifting, patience).await;
        let Some((status, asked)) = asked else {
            return Ok(false);
        };
        if status == StatusCode::ACCEPTED {
            let id = asked.get("approval_id").and_then(Value::as_str);
            let path = format!("/admin/v1/approvals/{}:approve", id.ok_or("no approval")?);
            let approving = authorized(approver, Method::POST, &path, None, &json!({}))?;
            let approved = self.ask(admin, approving, patience).await;
            return Ok(approved.is_some_and(|(status, _)| status.is_success()));
        }
        // It may have been lifted by an attempt whose answer was lost.
        let reading = authorized(requester, Method::GET, &restriction, None, &json!({}))?;
        let read = self.ask(admin, reading, patience).await;
        Ok(read.is_some_and(|(_, view)| view.get("state").is_some_and(|state| state == "Lifted")))
    }

    /// Sends a request once; `None` where no answer came, as of a node that is killed meanwhile.
    async fn ask(
        &self,
        admin: SocketAddr,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Option<(StatusCode, Value)> {
        let exchange = self.connections.send(admin, request, patience).await;
        let reply = exchange.reply.ok()?;
        let body = serde_json::from_slice(&reply.body).unwrap_or_default();
        Some((reply.status, body))
    }
}

fn authorized(
    token: &str,
    method: Method,
    path: &str,
    idempotency_key: Option<Uuid>,
    body: &Value,
) -> Result<Request<Full<Bytes>>> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    if let Some(key) = idempotency_key {
        request = request.header("idempotency-key", format!("\"{key}\""));
    }
    Ok(request.body(Full::from(body.to_string()))?)
}
