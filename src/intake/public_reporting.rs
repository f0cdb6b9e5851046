//! The rate limits of public reports: in total, and per source address.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::Notify;

use akgate_net::peer::{Peer, source_network};

/// The settings and rate limits of public reports.
pub struct PublicReporting {
    /// The host that a MAC is made for: that of the public listener's address.
    pub host: String,
    all: DefaultDirectRateLimiter,
    pub(crate) each: DefaultKeyedRateLimiter<IpAddr>,
    pub(crate) arrived: Notify,
}

impl PublicReporting {
    /// Allows this many reports per minute, in total and per source address.
    #[must_use]
    pub fn new(host: String, per_minute: NonZeroU32, each: NonZeroU32) -> Arc<Self> {
        Arc::new(Self {
            host,
            all: RateLimiter::direct(Quota::per_minute(per_minute)),
            each: RateLimiter::keyed(Quota::per_minute(each)),
            arrived: Notify::new(),
        })
    }

    pub(crate) fn lets_in(&self, peer: Peer) -> bool {
        // The limit per address comes first, so that a refused reporter uses up nothing of the total.
        self.each.check_key(&source_network(peer.ip)).is_ok() && self.all.check().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_reports_are_limited_per_source_and_in_total() {
        let limit = |n| NonZeroU32::new(n).unwrap();
        let public_reporting = PublicReporting::new("h".into(), limit(5), limit(2));
        let from = |n: u8| Peer {
            ip: IpAddr::from([192, 0, 2, n]),
            tls: true,
        };
        let let_in = |n| (0..4).filter(|_| public_reporting.lets_in(from(n))).count();
        assert_eq!([let_in(1), let_in(2), let_in(3), let_in(4)], [2, 2, 1, 0]);
    }
}
