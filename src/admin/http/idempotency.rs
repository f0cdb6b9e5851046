//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a client may send a change again if it does not know
//! whether the change arrived; it is made once.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use backon::{ExponentialBuilder, Retryable};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use sha2::{Digest, Sha256};

use crate::{
    context::AdminApi,
    http::{authentication, problem::Problem},
};
use akgate_state::{
    directory::with_timeout,
    operators::idempotency::{self, BeginOutcome, IdempotencyKey, StoredAnswer},
};

/// The header.
const IDEMPOTENCY_KEY_HEADER: &str = "idempotency-key";

/// The header that marks a response as a repetition.
const REPLAYED_HEADER: &str = "idempotency-replayed";

/// The longest body of a request, in bytes: axum's own limit.
const MAX_BODY_BYTES: usize = 2 << 20;

/// The longest response that is stored, in bytes. A longer one is sent, but not repeated.
const MAX_RESPONSE_BYTES: usize = 1 << 20;

/// Marks a response that is shown only once: it is not stored.
#[derive(Debug, Clone, Copy)]
pub struct ShownOnce;

/// Executes a request with an `Idempotency-Key` once.
pub async fn handle_idempotently(
    State(admin): State<AdminApi>,
    request: Request,
    next: Next,
) -> Response {
    // PUT is used only for accounts; elsewhere it gets 405.
    let changes = match *request.method() {
        Method::POST => true,
        Method::PUT => request.uri().path().starts_with("/admin/v1/accounts/"),
        _ => false,
    };
    if !changes || !request.headers().contains_key(IDEMPOTENCY_KEY_HEADER) {
        return next.run(request).await;
    }
    // It runs to its end, and its answer is kept, whether or not the client waits for it.
    let made = tokio::spawn(run_once(admin, request, next)).await;
    match made {
        Ok(Ok(response)) => response,
        Ok(Err(problem)) => problem.into_response(),
        Err(_) => Problem::internal().into_response(),
    }
}

async fn run_once(admin: AdminApi, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let key = parse_idempotency_key(&parts.headers)?;
    let operator = authentication::authenticate_operator(&parts, &admin).await?;
    let body = to_bytes(body, MAX_BODY_BYTES)
        .await
        .map_err(|_| Problem::invalid("The body cannot be read, or is too large."))?;
    let mut fingerprint = Sha256::new();
    for part in [
        parts.method.as_str().as_bytes(),
        parts.uri.path().as_bytes(),
        parts.uri.query().unwrap_or_default().as_bytes(),
        &body,
    ] {
        fingerprint.update((part.len() as u64).to_be_bytes());
        fingerprint.update(part);
    }
    let once = IdempotencyKey {
        operator: operator.actor(),
        key,
        fingerprint: fingerprint.finalize().to_vec(),
        node_id: admin.node_id,
    };
    parts.extensions.insert(operator);
    let begun = idempotency::begin_request(&admin.pool, &once, admin.clock.now());
    match with_timeout(admin.timeout, begun).await? {
        BeginOutcome::Now => {}
        BeginOutcome::Running => return Err(Problem::still_running()),
        BeginOutcome::Other => return Err(Problem::key_reused()),
        BeginOutcome::Before(kept) => return replay_response(kept),
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    store_response(&admin, &once, response).await
}

/// Parses the header: a structured string (RFC 8941), or the same without quotes.
fn parse_idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
    let wrong = || {
        Problem::invalid(
            "Send one `Idempotency-Key` of 1 to 255 printable ASCII characters, for example a UUID.",
        )
    };
    let mut given = headers.get_all(IDEMPOTENCY_KEY_HEADER).iter();
    let (Some(key), None) = (given.next(), given.next()) else {
        return Err(wrong());
    };
    let key = key.to_str().map_err(|_| wrong())?.trim();
    let inner = key.strip_prefix('"').and_then(|key| key.strip_suffix('"'));
    let key = inner.unwrap_or(key);
    let is_good = (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    is_good.then(|| key.to_owned()).ok_or_else(wrong)
}

fn replay_response(kept: StoredAnswer) -> Result<Response, Problem> {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let body = kept.body.ok_or_else(Problem::answer_not_kept)?;
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REPLAYED_HEADER, HeaderValue::from_static("true"));
    Ok(response)
}

/// Stores the response of a request that succeeded; one that failed may be sent again.
async fn store_response(
    admin: &AdminApi,
    once: &IdempotencyKey,
    response: Response,
) -> Result<Response, Problem> {
    if !response.status().is_success() {
        if with_timeout(
            admin.timeout,
            idempotency::delete_request(&admin.pool, once),
        )
        .await
        .is_err()
        {
            tokio::spawn(release_key(admin.clone(), once.clone()));
        }
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    // The answer is in this process's memory already, so its length needs no limit.
    let body: Bytes = to_bytes(body, usize::MAX)
        .await
        .map_err(|_| Problem::internal())?;
    let is_kept = parts.extensions.get::<ShownOnce>().is_none() && body.len() <= MAX_RESPONSE_BYTES;
    let kept = StoredAnswer {
        status: parts.status.as_u16(),
        body: is_kept.then(|| body.to_vec()),
    };
    // The change is made: the response is sent even if it cannot be stored.
    if let Err(fault) = with_timeout(
        admin.timeout,
        idempotency::store_answer(&admin.pool, once, &kept),
    )
    .await
    {
        tracing::warn!(%fault, "cannot store the response for an Idempotency-Key");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// Releases the key of a request that failed. If the database does not respond, the client can use the key again after
/// a minute.
async fn release_key(admin: AdminApi, once: IdempotencyKey) {
    let retries = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(1))
        .without_max_times()
        .with_total_delay(Some(Duration::from_secs(60)));
    let forgetting = || {
        with_timeout(
            admin.timeout,
            idempotency::delete_request(&admin.pool, &once),
        )
    };
    if let Err(fault) = forgetting.retry(retries).await {
        tracing::warn!(%fault, "cannot release the Idempotency-Key of a failed request; it is unusable for some minutes");
    }
}
