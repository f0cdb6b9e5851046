//! Addresses that no other test of the same moment is given.
//!
//! Who binds port 0, closes the socket and returns the port away may find another test's server there.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use tokio::net::TcpSocket;

/// An address where every connection is refused until the tests end: bound, never listened on.
pub fn refusing() -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    std::mem::forget(socket);
    address
}

/// An address to listen on, for a program that cannot tell which port it was given.
///
/// Its host is one of the 16 million of 127/8, so that nobody who binds port 0 of another is given the same.
pub fn unused() -> SocketAddr {
    let [second, third, fourth] = rand::random::<[u8; 3]>();
    let host = Ipv4Addr::new(127, second.clamp(1, 254), third, fourth.clamp(1, 254));
    TcpListener::bind((host, 0)).unwrap().local_addr().unwrap()
}
