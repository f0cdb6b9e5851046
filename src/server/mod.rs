//! Listeners: plain HTTP/1.1 or TLS with certificates that are read again when they change.

mod peers;
mod shutdown;
mod tls;

use std::{io, net::SocketAddr, time::Duration};

use axum::{Router, extract::Request, middleware};
use axum_server::{Handle, tls_rustls::RustlsAcceptor};
use hyper_util::rt::TokioTimer;
use tokio::sync::watch;

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

    /// Serves until told to stop; then finishes the requests in flight, 30 seconds at most.
    ///
    /// # Errors
    /// That of the operating system.
    pub async fn serve(self, router: Router, mut stop: watch::Receiver<bool>) -> io::Result<()> {
        let handle = Handle::new();
        let draining = handle.clone();
        let waiting = tokio::spawn(async move {
            // A sender that is gone means the same as being told.
            while !*stop.borrow_and_update() && stop.changed().await.is_ok() {}
            draining.graceful_shutdown(Some(DRAIN));
        });
        let (proxies, is_tls) = (self.manners.trusted_proxies, self.tls.is_some());
        let service = router
            .layer(middleware::from_fn(move |request: Request, next| {
                peers::tell(proxies.clone(), is_tls, request, next)
            }))
            .into_make_service_with_connect_info::<SocketAddr>();
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
