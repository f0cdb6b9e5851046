//! The rate limit per source address, so that a runaway client or an attacker does not take the database away from
//! others.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::{StateInformationMiddleware, StateSnapshot},
    state::keyed::DefaultKeyedStateStore,
};
use http::HeaderValue;

use crate::http::problem::Problem;
use akgate_net::peer::Peer;
use akgate_state::operators::guesses;

/// Above this number of sources, those without recent requests are forgotten.
const MAX_TRACKED_SOURCES: usize = 10_000;

/// Counts the requests of each source.
pub struct SourceRateLimiter {
    limiter: RateLimiter<
        String,
        DefaultKeyedStateStore<String>,
        DefaultClock,
        StateInformationMiddleware,
    >,
    per_second: u32,
}

impl SourceRateLimiter {
    /// Allows this many requests per second and source, with bursts of ten times as many.
    #[must_use]
    pub fn new(per_second: NonZeroU32) -> Self {
        let burst = per_second.saturating_mul(NonZeroU32::MIN.saturating_add(9));
        let quota = Quota::per_second(per_second).allow_burst(burst);
        Self {
            limiter: RateLimiter::keyed(quota).with_middleware(),
            per_second: per_second.get(),
        }
    }

    /// The requests that a source may still send, or how long it has to wait.
    fn check(&self, ip: IpAddr) -> Result<StateSnapshot, Duration> {
        let source = guesses::guess_source(ip);
        if self.limiter.len() > MAX_TRACKED_SOURCES {
            self.limiter.retain_recent();
        }
        let now = DefaultClock::default().now();
        let checked = self.limiter.check_key(&source);
        checked.map_err(|late| late.wait_time_from(now))
    }
}

/// Lets a request through, or refuses it with `Retry-After`.
pub async fn limit_rate(
    State(pace): State<Arc<SourceRateLimiter>>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let (mut response, remaining) = match pace.check(peer.unwrap_or_default().ip) {
        Ok(left) => (next.run(request).await, left.remaining_burst_capacity()),
        Err(wait) => (Problem::too_many_requests(wait).into_response(), 0),
    };
    let limit = pace.per_second.saturating_mul(10);
    let headers = response.headers_mut();
    for (name, value) in [
        ("ratelimit-limit", limit),
        ("ratelimit-remaining", remaining),
        ("ratelimit-reset", 1),
    ] {
        headers.insert(name, HeaderValue::from(value));
    }
    response
}
