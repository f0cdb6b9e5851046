//! Any axum handler or tower service in this process as an upstream.

use axum::{body::Body, response::IntoResponse};
use http::Request;
use tower::{Service, ServiceExt};

use super::{Answer, PrintedRequest, SendError, Upstream};
use akgate_rules::{fault::Fault, operation::Product};

/// A service that answers printed requests. It finds the caller's
/// [`Identity`](akgate_rules::identity::Identity) in the request's extensions.
#[derive(Clone)]
pub struct HandlerUpstream<S>(pub S);

impl<S> Upstream for HandlerUpstream<S>
where
    S: Service<Request<Body>, Response: IntoResponse, Future: Send> + Clone + Send + Sync + 'static,
{
    async fn send(&self, _: &Product, request: PrintedRequest) -> Result<Answer, SendError> {
        let PrintedRequest { http, identity, .. } = request;
        let mut request = http.map(Body::from);
        if let Some(identity) = identity {
            request.extensions_mut().insert(*identity);
        }
        match self.0.clone().oneshot(request).await {
            Ok(answer) => Ok(answer.into_response()),
            Err(_) => Err(SendError::Unanswered(Fault::Unavailable)),
        }
    }
}
