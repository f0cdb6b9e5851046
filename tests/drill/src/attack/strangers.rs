//! Connections that somebody opens without an AccessKey, and keeps open.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::Result;

/// Where they come from: another address of this machine than the good callers have.
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 66, 6));

/// How long a stranger tries to send: what is not taken is left.
const PATIENCE: Duration = Duration::from_millis(50);

/// Connections that are held open. They end when it is dropped.
#[derive(Debug)]
pub(super) struct Strangers {
    held: Vec<TcpStream>,
    most: usize,
}

impl Strangers {
    /// None yet, and so many at most.
    pub(super) fn new(most: usize) -> Self {
        Self {
            held: Vec::new(),
            most,
        }
    }

    /// Opens connections that send these bytes and nothing more.
    pub(super) async fn hold(&mut self, to: SocketAddr, count: usize, bytes: &[u8]) -> Result<()> {
        for _ in 0..count.min(self.most - self.held.len()) {
            let socket = TcpSocket::new_v4()?;
            // Many connections from one address to one: a port each, without a wait.
            socket.set_reuseaddr(true)?;
            socket.bind((STRANGER, 0).into())?;
            let Ok(Ok(mut stream)) = timeout(Duration::from_secs(1), socket.connect(to)).await
            else {
                continue;
            };
            // Whoever is turned away cannot write, and whoever is not read from has to wait.
            drop(timeout(PATIENCE, stream.write_all(bytes)).await);
            self.held.push(stream);
        }
        Ok(())
    }

    /// How many there may be.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// How many were opened.
    pub(super) fn count(&self) -> usize {
        self.held.len()
    }

    /// How many the other side has neither answered nor closed.
    pub(super) fn count_open(&self) -> usize {
        let is_open = |stream: &&TcpStream| {
            let read = stream.try_read(&mut [0; 1]);
            read.is_err_and(|fault| fault.kind() == ErrorKind::WouldBlock)
        };
        self.held.iter().filter(is_open).count()
    }
}
