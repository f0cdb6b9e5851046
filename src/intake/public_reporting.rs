//! The rate limits of public reports: in total, and per source address.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::Arc,
};

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::Notify;

use akgate_net::peer::Peer;

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

/// An IPv6 user usually has a whole /64 network, which counts as one address.
fn source_network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let bits = u128::from(ip) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(bits))
        }
        ip @ IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_network_counts_as_one_source() {
        let of = |text: &str| source_network(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }

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
