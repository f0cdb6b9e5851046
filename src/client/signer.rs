//! A client that signs with ACS3-HMAC-SHA256, as current SDKs do.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{
    Method, Request,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST},
};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use akgate_rules::request::parameters::percent_encode;

/// What a caller signs with.
#[derive(Debug, Clone)]
pub struct SigningCredentials {
    /// The public half.
    pub access_key_id: String,
    /// The secret half.
    pub access_key_secret: String,
    /// The token, for a session.
    pub security_token: Option<String>,
}

/// An operation and its parameters.
#[derive(Debug, Clone, Copy)]
pub struct ApiCall<'a> {
    /// API version.
    pub version: &'a str,
    /// Action.
    pub action: &'a str,
    /// Parameters.
    pub parameters: &'a [(&'a str, &'a str)],
}

/// An answer.
#[derive(Debug, Clone)]
pub struct ApiReply {
    /// HTTP status.
    pub status: u16,
    /// The body as JSON; null where it is none.
    pub body: Value,
    /// The body as text.
    pub text: String,
}

impl ApiReply {
    /// A text in the body, by its path.
    #[must_use]
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        path.iter()
            .try_fold(&self.body, |tree, name| tree.get(name))?
            .as_str()
    }

    /// Status, and code and message where it has them.
    #[must_use]
    pub fn summary(&self) -> String {
        match (self.text(&["Code"]), self.text(&["Message"])) {
            (Some(code), Some(message)) => format!("{} {code}: {message}", self.status),
            _ => match self.text(&["title"]) {
                Some(title) => format!("{} {title}", self.status),
                None => self.status.to_string(),
            },
        }
    }

    /// The credentials of a session in an answer of `AssumeRole`.
    #[must_use]
    pub fn session(&self) -> Option<SigningCredentials> {
        let member = |name| Some(self.text(&["Credentials", name])?.to_owned());
        Some(SigningCredentials {
            access_key_id: member("AccessKeyId")?,
            access_key_secret: member("AccessKeySecret")?,
            security_token: Some(member("SecurityToken")?),
        })
    }
}

/// Why a call got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientFault {
    /// The request cannot be written.
    #[error("cannot write the request: {0}")]
    Request(#[from] http::Error),
    /// The server does not answer.
    #[error("the server does not respond: {0}")]
    Connection(#[from] hyper_util::client::legacy::Error),
    /// The answer is incomplete.
    #[error("the response is incomplete: {0}")]
    Body(#[from] hyper::Error),
}

/// The caller.
#[derive(Clone)]
pub struct SigningClient {
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Default for SigningClient {
    fn default() -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }
}

impl SigningClient {
    /// Calls an API with a signature made at `now`.
    ///
    /// # Errors
    /// [`ClientFault`].
    pub async fn call(
        &self,
        gateway: &str,
        credentials: &SigningCredentials,
        api: ApiCall<'_>,
        now: OffsetDateTime,
    ) -> Result<ApiReply, ClientFault> {
        self.send(sign_request(gateway, credentials, api, now)?)
            .await
    }

    /// Requests a page, or sends a JSON body to an API of ours.
    ///
    /// # Errors
    /// [`ClientFault`].
    pub async fn plain(
        &self,
        method: Method,
        url: &str,
        bearer: Option<&str>,
        body: Option<&Value>,
    ) -> Result<ApiReply, ClientFault> {
        let mut request = Request::builder().method(method).uri(url);
        if let Some(token) = bearer {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        self.send(request.body(Full::from(body))?).await
    }

    /// Submits a form, as a browser does.
    ///
    /// # Errors
    /// [`ClientFault`].
    pub async fn submit_form(&self, url: &str, form: &str) -> Result<ApiReply, ClientFault> {
        let request = Request::post(url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(form.to_owned()))?;
        self.send(request).await
    }

    /// Sends a request as it is.
    ///
    /// # Errors
    /// [`ClientFault`].
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<ApiReply, ClientFault> {
        let (head, body) = self.client.request(request).await?.into_parts();
        let text = String::from_utf8_lossy(&body.collect().await?.to_bytes()).into_owned();
        Ok(ApiReply {
            status: head.status.as_u16(),
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        })
    }
}

/// A signed request: `POST /` with the parameters in the query, as the SDKs of today send them.
///
/// # Errors
/// That of a host or parameter that no request can carry.
pub fn sign_request(
    gateway: &str,
    credentials: &SigningCredentials,
    api: ApiCall<'_>,
    now: OffsetDateTime,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let host = gateway.split_once("://").map_or(gateway, |(_, host)| host);
    let mut parameters: Vec<(String, String)> = api
        .parameters
        .iter()
        .map(|(name, value)| {
            (
                percent_encode(name).to_string(),
                percent_encode(value).to_string(),
            )
        })
        .collect();
    parameters.sort();
    let query = parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("&");
    let date = now.replace_nanosecond(0).unwrap_or(now);
    let mut headers = vec![
        ("host", host.to_owned()),
        ("x-acs-action", api.action.to_owned()),
        ("x-acs-content-sha256", hex::encode(Sha256::digest(b""))),
        ("x-acs-date", date.format(&Rfc3339).unwrap_or_default()),
        ("x-acs-signature-nonce", Uuid::new_v4().to_string()),
        ("x-acs-version", api.version.to_owned()),
    ];
    if let Some(token) = &credentials.security_token {
        headers.push(("x-acs-security-token", token.clone()));
    }
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let canonical = format!(
        "POST\n/\n{query}\n{lines}\n{names}\n{}",
        hex::encode(Sha256::digest(b""))
    );
    let to_sign = format!(
        "ACS3-HMAC-SHA256\n{}",
        hex::encode(Sha256::digest(canonical))
    );
    let signature = hmac_sha256_hex(&credentials.access_key_secret, &to_sign);
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("{gateway}/?{query}"))
        .header(ACCEPT, "application/json")
        .header(
            AUTHORIZATION,
            format!(
                "ACS3-HMAC-SHA256 Credential={},SignedHeaders={names},Signature={signature}",
                credentials.access_key_id
            ),
        );
    for (name, value) in headers {
        if name == "host" {
            request = request.header(HOST, value);
        } else {
            request = request.header(name, value);
        }
    }
    request.body(Full::default())
}

/// HMAC-SHA256 in hexadecimal digits.
#[must_use]
pub fn hmac_sha256_hex(key: &str, text: &str) -> String {
    // An HMAC takes a key of any length.
    Hmac::<Sha256>::new_from_slice(key.as_bytes())
        .map(|mac| hex::encode(mac.chain_update(text).finalize().into_bytes()))
        .unwrap_or_default()
}
