//! A TCP proxy on the loopback, in front of a Unix socket or of TCP: it passes, freezes or cuts.
//!
//! One for each pair of node and database, so that one node alone can be cut off.

use std::{io, net::SocketAddr, path::PathBuf};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
};

/// What stands behind a proxy.
#[derive(Debug, Clone)]
pub enum Target {
    /// A Unix socket.
    Unix(PathBuf),
    /// TCP.
    Tcp(SocketAddr),
}

/// What a proxy does with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They move.
    Pass,
    /// Connections are taken and kept, and no byte moves.
    Freeze,
    /// No byte moves to the target; its own do.
    FreezeToTarget,
    /// No byte moves to the client; its own do.
    FreezeToClient,
    /// Connections are closed, new ones at once.
    Cut,
}

#[derive(Debug, Clone, Copy)]
enum Direction {
    ToTarget,
    ToClient,
}

impl Mode {
    fn holds(self, direction: Direction) -> bool {
        match direction {
            Direction::ToTarget => matches!(self, Self::Freeze | Self::FreezeToTarget),
            Direction::ToClient => matches!(self, Self::Freeze | Self::FreezeToClient),
        }
    }
}

/// One way of a connection that was opened after so many freezes.
#[derive(Debug, Clone, Copy)]
struct Way {
    direction: Direction,
    freezes: u64,
}

#[derive(Debug, Clone)]
struct State {
    mode: Mode,
    target: Target,
    /// Connections of an older one are closed: a short cut is not missed by any.
    generation: u64,
    /// How often all connections were frozen for good.
    freezes: u64,
}

/// A running proxy. Dropping it closes everything.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    listening: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn start(target: Target) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (state, seen) = watch::channel(State {
            mode: Mode::Pass,
            target,
            generation: 0,
            freezes: 0,
        });
        Ok(Self {
            address,
            state,
            listening: tokio::spawn(listen(listener, seen)),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what it does from now on.
    pub fn set(&self, mode: Mode) {
        self.state.send_modify(|state| {
            state.mode = mode;
            if mode == Mode::Cut {
                state.generation += 1;
            }
        });
    }

    /// Freezes the connections that there are, for good: no byte moves on them any more, and nobody is told. New ones pass.
    pub fn freeze_existing(&self) {
        self.state.send_modify(|state| state.freezes += 1);
    }

    /// Puts something else behind it for new connections. Those that there are stay with the former target.
    pub fn retarget_new(&self, target: Target) {
        self.state.send_modify(|state| state.target = target);
    }

    /// Puts something else behind it, and closes what went to the former target.
    pub fn retarget(&self, target: Target) {
        self.state.send_modify(|state| {
            state.target = target;
            state.generation += 1;
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, seen: watch::Receiver<State>) {
    while let Ok((client, _)) = listener.accept().await {
        // Refused by being closed: a listener that is closed could lose its port to somebody else.
        if seen.borrow().mode != Mode::Cut {
            tokio::spawn(serve(client, seen.clone()));
        }
    }
}

async fn serve(client: TcpStream, seen: watch::Receiver<State>) {
    let generation = seen.borrow().generation;
    let mut watching = seen.clone();
    tokio::select! {
        // An error is the end of the proxy.
        _ = watching.wait_for(|state| state.generation != generation) => {}
        _ = relay(client, seen) => {}
    }
}

async fn relay(client: TcpStream, mut seen: watch::Receiver<State>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let freezes = seen.borrow().freezes;
    let way = Way {
        direction: Direction::ToTarget,
        freezes,
    };
    wait_to_move(&mut seen, way).await?;
    let target = seen.borrow().target.clone();
    match target {
        Target::Unix(path) => join(client, UnixStream::connect(path).await?, seen, freezes).await,
        Target::Tcp(address) => {
            let target = TcpStream::connect(address).await?;
            target.set_nodelay(true)?;
            join(client, target, seen, freezes).await
        }
    }
}

async fn join<T>(
    client: TcpStream,
    target: T,
    seen: watch::Receiver<State>,
    freezes: u64,
) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite,
{
    let (from_client, to_client) = split(client);
    let (from_target, to_target) = split(target);
    let way = |direction| Way { direction, freezes };
    // Neither side goes on without the other.
    tokio::select! {
        ended = pump(from_client, to_target, seen.clone(), way(Direction::ToTarget)) => ended,
        ended = pump(from_target, to_client, seen, way(Direction::ToClient)) => ended,
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut seen: watch::Receiver<State>,
    way: Way,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        wait_to_move(&mut seen, way).await?;
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        // It may have been frozen while this was waited for.
        wait_to_move(&mut seen, way).await?;
        let mut bytes = buffer.get(..count).unwrap_or_default();
        copy(&mut bytes, &mut to).await?;
        to.flush().await?;
    }
}

async fn wait_to_move(seen: &mut watch::Receiver<State>, way: Way) -> io::Result<()> {
    let moves = seen
        .wait_for(|state| !state.mode.holds(way.direction) && state.freezes == way.freezes)
        .await;
    moves.map(drop).map_err(io::Error::other)
}
