//! A rate limit per source address, so that one client does not take the database away from others.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};

use crate::peer::source_network;

/// Above this number of sources, those without recent requests are forgotten.
const MAX_TRACKED_SOURCES: usize = 10_000;

/// How many times as many requests as in a second a source may send at once.
const BURST_SECONDS: u32 = 10;

/// Counts the requests of each source: an IPv4 address, or an IPv6 network of 64 bits.
pub struct SourceRateLimiter {
    limiter: RateLimiter<
        IpAddr,
        DefaultKeyedStateStore<IpAddr>,
        DefaultClock,
        StateInformationMiddleware,
    >,
    per_second: NonZeroU32,
}

impl SourceRateLimiter {
    /// Allows this many requests per second and source, with bursts of ten times as many.
    #[must_use]
    pub fn new(per_second: NonZeroU32) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(Self::burst_of(per_second));
        Self {
            limiter: RateLimiter::keyed(quota).with_middleware(),
            per_second,
        }
    }

    /// The number of requests that a source may send at once.
    #[must_use]
    pub fn burst(&self) -> u32 {
        Self::burst_of(self.per_second).get()
    }

    fn burst_of(per_second: NonZeroU32) -> NonZeroU32 {
        per_second.saturating_mul(NonZeroU32::MIN.saturating_add(BURST_SECONDS - 1))
    }

    /// Counts a request; returns how many more the source may send now.
    ///
    /// # Errors
    /// How long it has to wait.
    pub fn count(&self, ip: IpAddr) -> Result<u32, Duration> {
        if self.limiter.len() > MAX_TRACKED_SOURCES {
            self.limiter.retain_recent();
        }
        let now = DefaultClock::default().now();
        match self.limiter.check_key(&source_network(ip)) {
            Ok(left) => Ok(left.remaining_burst_capacity()),
            Err(late) => Err(late.wait_time_from(now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_counted_apart() {
        let limiter = SourceRateLimiter::new(NonZeroU32::MIN);
        let allowed = |ip: &str| {
            let ip = ip.parse().unwrap();
            (0..20).filter(|_| limiter.count(ip).is_ok()).count()
        };
        assert_eq!(limiter.burst(), 10);
        assert_eq!(allowed("192.0.2.1"), 10);
        assert_eq!(allowed("192.0.2.2"), 10);
        assert_eq!(allowed("2001:db8::1"), 10);
        assert_eq!(allowed("2001:db8::2"), 0);
        assert!(limiter.count("192.0.2.1".parse().unwrap()).is_err());
    }
}
