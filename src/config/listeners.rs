//! `[gateway]`, `[public]`, `[admin]`: the listeners.

#![allow(
    rustdoc::bare_urls,
    reason = "the comments are printed into the template of the file"
)]

use std::{
    net::SocketAddr,
    num::{NonZero, NonZeroU32},
    path::PathBuf,
    thread,
};

use confique::{Config, env::parse::list_by_comma};
use ipnet::IpNet;

use super::oidc::OidcSection;

/// `[gateway]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct GatewaySection {
    /// Address to listen on.
    #[config(env = "AKGATE_GATEWAY_LISTEN", default = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Certificate chain, a PEM file; read again when it changes. Without it the listener is plain HTTP.
    #[config(env = "AKGATE_GATEWAY_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, a PEM file.
    #[config(env = "AKGATE_GATEWAY_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// Networks of the proxies whose X-Forwarded-For is believed, such as "10.0.0.0/8".
    #[config(env = "AKGATE_GATEWAY_TRUSTED_PROXIES", default = [], parse_env = list_by_comma)]
    pub trusted_proxies: Vec<IpNet>,
    /// The longest request body, in bytes. A longer one is refused.
    #[config(env = "AKGATE_GATEWAY_BODY_LIMIT_BYTES", default = 1048576)]
    pub body_limit_bytes: usize,
    /// How long a request's head, or a connection that says nothing, is waited for, in seconds.
    #[config(env = "AKGATE_GATEWAY_HEAD_TIMEOUT_SECONDS", default = 10)]
    pub head_timeout_seconds: u64,
    /// How long a request's body may take to arrive, in seconds.
    #[config(env = "AKGATE_GATEWAY_BODY_TIMEOUT_SECONDS", default = 30)]
    pub body_timeout_seconds: u64,
    /// How many threads serve calls; as many as there are cores by default. A call stays on the thread that accepted
    /// its connection.
    #[config(env = "AKGATE_GATEWAY_THREADS")]
    pub threads: Option<NonZero<usize>>,
    /// How many calls are in work at a time; more are refused at once (503).
    #[config(env = "AKGATE_GATEWAY_MAX_CONCURRENT", default = 4096)]
    pub max_concurrent: usize,
    /// A page that errors recommend to callers. Default: the public listener's own, which also tells the holder of the
    /// AccessKey why a call was refused.
    #[config(env = "AKGATE_GATEWAY_RECOMMEND_URL")]
    pub recommend_url: Option<String>,
    /// Calls of STS that pass without an AccessKey: "AssumeRoleWithSAML", "AssumeRoleWithOIDC".
    #[config(env = "AKGATE_GATEWAY_ANONYMOUS", default = [], parse_env = list_by_comma)]
    pub anonymous: Vec<String>,
}

impl GatewaySection {
    /// How many threads serve calls.
    #[must_use]
    pub fn threads(&self) -> usize {
        let cores = || thread::available_parallelism().ok();
        self.threads.or_else(cores).map_or(1, NonZero::get)
    }
}

/// `[public]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct PublicSection {
    /// Address to listen on.
    #[config(env = "AKGATE_PUBLIC_LISTEN", default = "0.0.0.0:8081")]
    pub listen: SocketAddr,
    /// Certificate chain, a PEM file; read again when it changes.
    #[config(env = "AKGATE_PUBLIC_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, a PEM file.
    #[config(env = "AKGATE_PUBLIC_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// Networks of the proxies whose X-Forwarded-For is believed.
    #[config(env = "AKGATE_PUBLIC_TRUSTED_PROXIES", default = [], parse_env = list_by_comma)]
    pub trusted_proxies: Vec<IpNet>,
    /// How owners reach this listener, as letters link to it: "https://akgate.example.com".
    #[config(env = "AKGATE_PUBLIC_URL")]
    pub url: Option<String>,
}

/// `[admin]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct AdminSection {
    /// Address to listen on.
    #[config(env = "AKGATE_ADMIN_LISTEN", default = "127.0.0.1:8082")]
    pub listen: SocketAddr,
    /// Certificate chain, a PEM file; read again when it changes.
    #[config(env = "AKGATE_ADMIN_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, a PEM file.
    #[config(env = "AKGATE_ADMIN_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// Certificate authority of operators, a PEM file; read again when it changes. With it people show a certificate whose
    /// common name is the operator's name, and need no token; one that they send has to be theirs. Programs (the role
    /// `service`) may go on with a token alone.
    #[config(env = "AKGATE_ADMIN_CLIENT_CA")]
    pub client_ca: Option<PathBuf>,
    /// Revocation lists of that authority, a PEM file; read again when it changes.
    #[config(env = "AKGATE_ADMIN_CLIENT_CRL")]
    pub client_crl: Option<PathBuf>,
    /// Networks of the proxies whose X-Forwarded-For is believed.
    #[config(env = "AKGATE_ADMIN_TRUSTED_PROXIES", default = [], parse_env = list_by_comma)]
    pub trusted_proxies: Vec<IpNet>,
    /// How many requests a second one address (one IPv6 network of 64 bits) may make, and ten times as many at once; more
    /// are told to come back (429).
    #[config(env = "AKGATE_ADMIN_REQUESTS_PER_SECOND", default = 100)]
    pub requests_per_second: NonZeroU32,
    /// How long a request that takes a second operator waits for one, in hours.
    #[config(env = "AKGATE_ADMIN_REQUESTS_EXPIRE_HOURS", default = 24)]
    pub requests_expire_hours: u16,
    /// What lifts more restrictions than this at once takes a second operator.
    #[config(env = "AKGATE_ADMIN_BULK_ABOVE", default = 100)]
    pub bulk_above: usize,
    /// Signing in at an OpenID Connect provider.
    #[config(nested)]
    pub oidc: OidcSection,
}
