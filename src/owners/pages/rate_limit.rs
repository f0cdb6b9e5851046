//! Refuses the requests of a source that sends too many, before anything is looked up for them.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderValue, header::RETRY_AFTER};

use super::{
    context::preferred_language,
    page::{PageKind, PageTemplates},
};
use akgate_net::{peer::Peer, source_rate_limiter::SourceRateLimiter};

/// What limits the requests of each source to the public listener.
#[derive(Clone)]
pub struct PublicRateLimit {
    /// Counts them.
    pub limiter: Arc<SourceRateLimiter>,
    /// The pages, one of which says how long to wait.
    pub pages: Arc<PageTemplates>,
}

/// Lets a request through, or refuses it with `Retry-After`.
pub async fn limit_rate(
    State(PublicRateLimit { limiter, pages }): State<PublicRateLimit>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    match limiter.count(peer.unwrap_or_default().ip) {
        Ok(_) => next.run(request).await,
        Err(wait) => {
            let seconds = wait
                .saturating_add(Duration::from_millis(999))
                .as_secs()
                .max(1);
            let language = preferred_language(request.headers());
            let facts = minijinja::context! { seconds };
            let mut response = pages.render(PageKind::TooManyRequests, language, facts);
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
    }
}
