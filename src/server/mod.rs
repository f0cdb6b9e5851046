//! Listeners: plain HTTP/1.1 or TLS with certificates that are read again when they change.

mod peers;
mod shutdown;
mod tls;

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use axum::response::Response;
use axum_server::{Handle, tls_rustls::RustlsAcceptor};
use futures_core::future::BoxFuture;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioTimer;
use tokio::sync::watch;
use tower::{Service, service_fn};

use self::peers::Told;
pub use self::{
    peers::TrustedProxies,
    shutdown::Shutdown,
    tls::{Tls, TlsError},
};

/// Room for a head: a target of 65,000 bytes and generous headers.
const HEAD: usize = 256 << 10;

/// How long requests in flight may take once the listener is told to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// How a listener treats those who connect.
#[derive(Debug, Clone)]
pub struct Manners {
    /// How long the head of a request, or a silent connection, is waited for.
    pub head_timeout: Duration,
    /// Whose word on the caller's address is taken.
    pub trusted_proxies: TrustedProxies,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

/// Serves at an address until told to stop.
pub type Serving =
    Box<dyn FnOnce(watch::Receiver<bool>) -> BoxFuture<'static, io::Result<()>> + Send>;

/// A bound address.
pub struct Listener {
    socket: std::net::TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
    manners: Manners,
}

impl Listener {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    /// That of the operating system.
    pub fn bind(address: SocketAddr, tls: Option<Tls>, manners: Manners) -> io::Result<Self> {
        let socket = std::net::TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            address: socket.local_addr()?,
            socket,
            tls,
            manners,
        })
    }

    /// The address that was bound.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What serves here, to be begun later: listeners that serve different things are alike then.
    pub fn serving<S>(self, service: S) -> Serving
    where
        S: Service<Request<Incoming>, Response = Response, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send,
    {
        Box::new(move |stop| Box::pin(self.serve(service, stop)))
    }

    /// Serves until told to stop; then finishes the requests in flight, 30 seconds at most.
    ///
    /// # Errors
    /// That of the operating system.
    pub async fn serve<S>(self, service: S, mut stop: watch::Receiver<bool>) -> io::Result<()>
    where
        S: Service<Request<Incoming>, Response = Response, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send,
    {
        let handle = Handle::new();
        let draining = handle.clone();
        let waiting = tokio::spawn(async move {
            // A sender that is gone means the same as being told.
            while !*stop.borrow_and_update() && stop.changed().await.is_ok() {}
            draining.graceful_shutdown(Some(DRAIN));
        });
        let (proxies, is_tls) = (self.manners.trusted_proxies, self.tls.is_some());
        let service = service_fn(move |socket: SocketAddr| {
            let told = Told::new(service.clone(), proxies.clone(), socket.ip(), is_tls);
            async move { Ok::<_, Infallible>(told) }
        });
        let mut server = axum_server::from_tcp(self.socket)?
            .http1_only()
            .handle(handle)
            .first_request_timeout(self.manners.head_timeout);
        server
            .http_builder()
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.manners.head_timeout)
            .max_buf_size(HEAD)
            .half_close(false);
        let served = match self.tls {
            None => server.serve(service).await,
            Some(tls) => {
                let (config, watching) = tls.watch();
                let acceptor =
                    RustlsAcceptor::new(config).handshake_timeout(self.manners.head_timeout);
                let served = server.acceptor(acceptor).serve(service).await;
                watching.abort();
                served
            }
        };
        waiting.abort();
        served
    }
}
