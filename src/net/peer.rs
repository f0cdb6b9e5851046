//! The address that a request came from.

use std::net::{IpAddr, Ipv4Addr};

/// The caller's end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub ip: IpAddr,
    /// Whether it used TLS.
    pub tls: bool,
}

impl Default for Peer {
    /// The address is unknown: 0.0.0.0, which no caller has.
    fn default() -> Self {
        Self {
            ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            tls: false,
        }
    }
}
