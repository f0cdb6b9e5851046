//! Finds the peer of a request: the socket's address, or what a trusted proxy says in `X-Forwarded-For`.

use std::{
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
};

use http::HeaderMap;
use ipnet::IpNet;
use tower::Service;

use crate::peer::Peer;

/// The networks of the proxies that are trusted about the caller's address.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// Trusts these networks.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks.into())
    }

    /// Whether this is the address of one of them.
    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&ip))
    }

    /// The caller behind a socket: the last address in `X-Forwarded-For` that is no trusted proxy's, where the socket
    /// is a trusted proxy's. Entries that no trusted proxy has written prove nothing.
    fn caller(&self, socket: IpAddr, tls: bool, headers: &HeaderMap) -> Peer {
        if !self.contains(socket) {
            return Peer { ip: socket, tls };
        }
        let chain: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .flat_map(|value| value.to_str().unwrap_or("?").split(','))
            .map(str::trim)
            .collect();
        let mut ip = socket;
        for hop in chain.into_iter().rev() {
            // Not an address: the proxy that passed it on counts as the caller.
            let Ok(address) = hop.parse::<IpAddr>() else {
                break;
            };
            ip = address.to_canonical();
            if !self.contains(ip) {
                break;
            }
        }
        let proto = headers
            .get("x-forwarded-proto")
            .and_then(|value| value.to_str().ok());
        Peer {
            ip,
            tls: proto.map_or(tls, |proto| proto.eq_ignore_ascii_case("https")),
        }
    }
}

/// Tells the inner service where the requests of a connection come from.
#[derive(Clone)]
pub(super) struct PeerService<S> {
    service: S,
    proxies: TrustedProxies,
    socket: IpAddr,
    tls: bool,
}

impl<S> PeerService<S> {
    /// For the requests of a socket.
    pub fn new(service: S, proxies: TrustedProxies, socket: IpAddr, tls: bool) -> Self {
        Self {
            service,
            proxies,
            socket: socket.to_canonical(),
            tls,
        }
    }
}

impl<S, B> Service<http::Request<B>> for PeerService<S>
where
    S: Service<http::Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> S::Future {
        let peer = self
            .proxies
            .caller(self.socket, self.tls, request.headers());
        request.extensions_mut().insert(peer);
        self.service.call(request)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn caller(socket: &str, forwarded: &[&'static str]) -> String {
        let proxies = TrustedProxies::new(vec![
            "10.0.0.0/8".parse().unwrap(),
            "fd00::/8".parse().unwrap(),
        ]);
        let mut headers = HeaderMap::new();
        for one in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_static(one));
        }
        let peer = proxies.caller(socket.parse().unwrap(), false, &headers);
        peer.ip.to_string()
    }

    #[test]
    fn forwarded_address_is_read_only_from_a_trusted_proxy() {
        assert_eq!(caller("192.0.2.9", &["203.0.113.1"]), "192.0.2.9");
        assert_eq!(caller("10.0.0.1", &["203.0.113.1"]), "203.0.113.1");
        assert_eq!(caller("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn forwarded_address_written_by_the_caller_is_ignored() {
        let forged = "127.0.0.1, 198.51.100.7, 203.0.113.1";
        assert_eq!(caller("10.0.0.1", &[forged]), "203.0.113.1");
        assert_eq!(
            caller("10.0.0.1", &["127.0.0.1", "203.0.113.1, 10.0.0.2"]),
            "203.0.113.1"
        );
        assert_eq!(caller("10.0.0.1", &["203.0.113.1, garbage"]), "10.0.0.1");
        assert_eq!(
            caller("10.0.0.1", &["203.0.113.1, garbage, 10.0.0.2"]),
            "10.0.0.2"
        );
        assert_eq!(caller("10.0.0.1", &["::ffff:203.0.113.1"]), "203.0.113.1");
    }

    #[test]
    fn trusted_proxy_says_whether_the_caller_used_tls() {
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
        let tls = |socket: &str| proxies.caller(socket.parse().unwrap(), false, &headers).tls;
        assert!(tls("10.0.0.1"));
        assert!(!tls("192.0.2.9"));
    }
}
