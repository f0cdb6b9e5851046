//! A TCP address of the tests' server, which a test can take away.

use std::{net::SocketAddr, path::PathBuf};

use sqlx::postgres::PgConnectOptions;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, UnixStream},
    task::{JoinHandle, JoinSet},
};

use crate::addresses;

/// A host of the database. Closed, or dropped, it refuses connections and ends those that there are.
pub struct DatabaseHost {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl DatabaseHost {
    /// Listens on an address of its own.
    pub async fn start(database: &PgConnectOptions) -> Self {
        Self::at(addresses::unused(), database).await
    }

    /// Listens on this address.
    pub async fn at(address: SocketAddr, database: &PgConnectOptions) -> Self {
        let socket = database.get_socket().unwrap();
        let socket = socket.join(format!(".s.PGSQL.{}", database.get_port()));
        let listener = TcpListener::bind(address).await.unwrap();
        let serving = tokio::spawn(serve(listener, socket));
        Self { address, serving }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes the host away; its address can be listened on again.
    pub async fn close(mut self) {
        self.serving.abort();
        drop((&mut self.serving).await);
    }
}

impl Drop for DatabaseHost {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, socket: PathBuf) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let socket = socket.clone();
        connections.spawn(async move {
            if let Ok(mut server) = UnixStream::connect(socket).await {
                drop(copy_bidirectional(&mut client, &mut server).await);
            }
        });
    }
}
