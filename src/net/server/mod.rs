//! Listeners: plain HTTP/1.1, or TLS with certificates that are reloaded when they change.

mod connection;
mod connections;
mod cores;
mod origin;
mod peers;
mod shutdown;
mod tls;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::response::Response;
use axum_server::{
    Control, Handle,
    accept::DefaultAcceptor,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use futures_core::future::BoxFuture;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioTimer;
use rustix::io::Errno;
use tokio::{runtime, sync::watch, task::JoinSet};
use tower::{Service, service_fn};

use self::{
    connection::ConnectionAcceptor, connections::ConnectionTable, origin::OriginService,
    peers::PeerService,
};
pub use self::{
    connections::{BodyWait, ConnectionSeat},
    cores::CoreRuntimes,
    peers::TrustedProxies,
    shutdown::ShutdownSignals,
    tls::{ClientAuthority, Tls, TlsError},
};
use crate::{
    fair_budget::{BudgetFault, FairBudget},
    metrics::Metrics,
    request_memory::DEFAULT_REQUEST_MEMORY,
};

/// Room for a head: a target of 65,000 bytes and generous headers.
const MAX_HEAD_BYTES: usize = 256 << 10;

/// How long requests in flight may take once the listener is told to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// The limits of a listener's connections.
#[derive(Clone)]
pub struct ConnectionLimits {
    /// How long the head of a request may take, and a new connection's first request.
    pub head_timeout: Duration,
    /// How long a connection may lie idle between two requests.
    pub idle_timeout: Duration,
    /// The proxies that are trusted about the caller's address.
    pub trusted_proxies: TrustedProxies,
    /// Maximum number of connections.
    pub connections: usize,
    /// Bytes that requests may hold before their callers are known, at all listeners.
    pub memory: Arc<FairBudget>,
    /// Counts the connections that are refused.
    pub metrics: Arc<Metrics>,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            trusted_proxies: TrustedProxies::default(),
            connections: 32_768,
            memory: FairBudget::new(DEFAULT_REQUEST_MEMORY),
            metrics: Arc::default(),
        }
    }
}

/// What can be served: it answers every request.
pub trait HttpService:
    Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S> HttpService for S where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// Serves at an address until told to stop.
pub type ServeTask =
    Box<dyn FnOnce(watch::Receiver<bool>) -> BoxFuture<'static, io::Result<()>> + Send>;

/// A bound address.
pub struct Listener {
    socket: std::net::TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
    limits: ConnectionLimits,
}

impl Listener {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    /// The operating system refused.
    pub fn bind(
        address: SocketAddr,
        tls: Option<Tls>,
        limits: ConnectionLimits,
    ) -> io::Result<Self> {
        let socket = std::net::TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            address: socket.local_addr()?,
            socket,
            tls,
            limits,
        })
    }

    /// The address that was bound.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// A boxed future that serves here, so that listeners of different services have one type.
    pub fn serving<S: HttpService>(self, service: S) -> ServeTask {
        Box::new(move |stop| Box::pin(self.serve(service, stop)))
    }

    /// As [`Self::serving`], on all cores at once, with a service made for each.
    pub fn serving_on<S: HttpService>(
        self,
        cores: &CoreRuntimes,
        service: impl Fn() -> S,
    ) -> ServeTask {
        let runtimes = cores.runtimes().iter();
        let services = runtimes.map(|runtime| (runtime.clone(), service()));
        let services = services.collect();
        Box::new(move |stop| Box::pin(self.serve_each(services, stop)))
    }

    /// Serves until told to stop; then finishes the requests in flight, 30 seconds at most.
    ///
    /// # Errors
    /// The operating system refused.
    pub async fn serve<S: HttpService>(
        self,
        service: S,
        stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        self.serve_each(vec![(runtime::Handle::current(), service)], stop)
            .await
    }

    /// All runtimes accept from the same socket; the one that accepts a connection keeps it.
    async fn serve_each<S: HttpService>(
        self,
        services: Vec<(runtime::Handle, S)>,
        mut stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let control = Control::new();
        let (config, watching) = self.tls.map(Tls::watch).unzip();
        let memory = Arc::clone(&self.limits.memory);
        let table = ConnectionTable::new(self.limits.connections, memory);
        let mut servers = JoinSet::new();
        for (runtime, service) in services {
            let server = RuntimeListener {
                socket: self.socket.try_clone()?,
                tls: config.clone(),
                limits: self.limits.clone(),
                table: Arc::clone(&table),
                control: control.clone(),
            };
            servers.spawn_on(server.serve(service), &runtime);
        }
        // After the signal to stop, no connection is accepted.
        drop(self.socket);
        let waiting = tokio::spawn(async move {
            // A dropped sender also means stop.
            stop.wait_for(|stop| *stop).await.ok();
            control.graceful_shutdown(Some(DRAIN_TIMEOUT));
        });
        let mut served = Ok(());
        while let (Some(ended), Ok(())) = (servers.join_next().await, &served) {
            served = ended.unwrap_or_else(|fault| Err(io::Error::other(fault)));
        }
        waiting.abort();
        if let Some(watching) = watching {
            watching.abort();
        }
        served
    }
}

/// One runtime's share of a listener.
struct RuntimeListener {
    socket: std::net::TcpListener,
    tls: Option<RustlsConfig>,
    limits: ConnectionLimits,
    table: Arc<ConnectionTable>,
    control: Control,
}

impl RuntimeListener {
    async fn serve<S: HttpService>(self, service: S) -> io::Result<()> {
        let ConnectionLimits {
            head_timeout,
            idle_timeout,
            trusted_proxies,
            metrics,
            ..
        } = self.limits;
        let proxies = trusted_proxies.clone();
        let is_tls = self.tls.is_some();
        let service = service_fn(move |socket: SocketAddr| {
            let proxies = trusted_proxies.clone();
            let origin = OriginService(service.clone());
            let told = PeerService::new(origin, proxies, socket.ip(), is_tls);
            async move { Ok::<_, Infallible>(told) }
        });
        let mut server = axum_server::from_tcp(self.socket)?
            .http1_only()
            .handle(Handle::with_control(self.control))
            .first_request_timeout(head_timeout)
            .accept_error_handler({
                let metrics = Arc::clone(&metrics);
                move |_, fault| note_accept_fault(&metrics, fault)
            });
        server
            .http_builder()
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(idle_timeout)
            .max_buf_size(MAX_HEAD_BYTES)
            .half_close(false);
        let acceptor = ConnectionAcceptor {
            inner: DefaultAcceptor::new(),
            head_timeout,
            table: self.table,
            proxies,
            metrics,
        };
        match self.tls {
            None => server.acceptor(acceptor).serve(service).await,
            Some(config) => {
                let inner = RustlsAcceptor::new(config).handshake_timeout(head_timeout);
                let acceptor = acceptor.with_inner(inner);
                server.acceptor(acceptor).serve(service).await
            }
        }
    }
}

/// Says that no more connections can be opened; that one of them failed is no news.
fn note_accept_fault(metrics: &Metrics, fault: &io::Error) {
    let is_out_of = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    if fault
        .raw_os_error()
        .is_some_and(|errno| is_out_of.contains(&errno))
    {
        metrics.turned_away("descriptors", BudgetFault::Exhausted);
        tracing::error!(%fault, "a connection cannot be accepted: raise the limit of open files (ulimit -n)");
    }
}
