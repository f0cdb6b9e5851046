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

use super::{error::ConfigError, oidc::OidcSection, text::ConfigText};
use akgate_net::{framing::MAX_CONTENT_LENGTH, https::is_safe_for_secrets};

/// `[gateway]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct GatewaySection {
    /// Address to listen on.
    #[config(env = "AKGATE_GATEWAY_LISTEN", default = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Certificate chain, a PEM file; reloaded when it changes. Without it, the listener uses plain HTTP.
    #[config(env = "AKGATE_GATEWAY_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate, a PEM file.
    #[config(env = "AKGATE_GATEWAY_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// Networks of the proxies whose X-Forwarded-For is trusted, such as "10.0.0.0/8".
    #[config(env = "AKGATE_GATEWAY_TRUSTED_PROXIES", default = [], parse_env = list_by_comma)]
    pub trusted_proxies: Vec<IpNet>,
    /// Maximum size of a request body, in bytes. Larger ones are refused.
    #[config(env = "AKGATE_GATEWAY_BODY_LIMIT_BYTES", default = 1048576)]
    pub body_limit_bytes: usize,
    /// Timeout for a request's head from its first byte, in seconds.
    #[config(env = "AKGATE_GATEWAY_HEAD_TIMEOUT_SECONDS", default = 10)]
    pub head_timeout_seconds: u64,
    /// How long a connection may be idle between two requests, in seconds, at every listener. A load balancer in front
    /// should close idle connections earlier.
    #[config(env = "AKGATE_GATEWAY_IDLE_TIMEOUT_SECONDS", default = 75)]
    pub idle_timeout_seconds: u64,
    /// Timeout for a request's body to arrive, in seconds.
    #[config(env = "AKGATE_GATEWAY_BODY_TIMEOUT_SECONDS", default = 30)]
    pub body_timeout_seconds: u64,
    /// Number of threads that serve calls; by default, the number of cores. A call stays on the thread that accepted
    /// its connection.
    #[config(env = "AKGATE_GATEWAY_THREADS")]
    pub threads: Option<NonZero<usize>>,
    /// URL of the page that a refusal because of a leak recommends to callers. Default: the public listener's own page,
    /// which also explains to the holder of the AccessKey why a call was refused.
    #[config(env = "AKGATE_GATEWAY_RECOMMEND_URL")]
    pub recommend_url: Option<String>,
    /// STS operations that may be called without an AccessKey: "AssumeRoleWithSAML", "AssumeRoleWithOIDC".
    #[config(env = "AKGATE_GATEWAY_ANONYMOUS", default = [], parse_env = list_by_comma)]
    pub anonymous: Vec<String>,
    /// Headers that a caller must not sign, because upstreams could take them for the gateway's own. Case, - and _ make
    /// no difference. X-Forwarded-*, X-Akgate-* and those of a single connection are always refused.
    #[config(
        env = "AKGATE_GATEWAY_RESERVED_HEADERS",
        default = ["x-original-url", "x-original-uri", "x-original-method", "x-rewrite-url", "x-http-method", "x-http-method-override", "x-method-override", "x-host", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "x-remote-user", "x-acs-caller-uid", "x-acs-caller-type", "x-acs-caller-bid", "x-acs-parent-id", "x-acs-source-ip", "x-acs-security-transport"],
        parse_env = list_by_comma
    )]
    pub reserved_headers: Vec<String>,
    /// Parameters of the same kind, in query, form and JSON.
    #[config(
        env = "AKGATE_GATEWAY_RESERVED_PARAMETERS",
        default = ["callerUid", "callerBid", "callerType", "callerParentId", "callerUidLoginEmail", "callerBidLoginEmail", "ak_mfa_present", "ak_proven", "security_transport", "_method"],
        parse_env = list_by_comma
    )]
    pub reserved_parameters: Vec<String>,
}

impl GatewaySection {
    /// How many threads serve calls.
    #[must_use]
    pub fn threads(&self) -> usize {
        let cores = || thread::available_parallelism().ok();
        self.threads.or_else(cores).map_or(1, NonZero::get)
    }

    pub(super) fn check_limits(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        text.require_positive([
            (
                "gateway.head_timeout_seconds",
                self.head_timeout_seconds > 0,
            ),
            (
                "gateway.idle_timeout_seconds",
                self.idle_timeout_seconds > 0,
            ),
            (
                "gateway.body_timeout_seconds",
                self.body_timeout_seconds > 0,
            ),
        ])
    }

    pub(super) fn check_tls(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        check_tls_pair(
            "gateway",
            self.tls_cert.as_ref(),
            self.tls_key.as_ref(),
            text,
        )
    }

    pub(super) fn check(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        let known = ["AssumeRoleWithSAML", "AssumeRoleWithOIDC"];
        if let Some(other) = self
            .anonymous
            .iter()
            .find(|action| !known.contains(&action.as_str()))
        {
            let message = format!(
                "\"{other}\" needs an AccessKey; only AssumeRoleWithSAML and AssumeRoleWithOIDC can be called without one"
            );
            return Err(text.wrong("gateway.anonymous", &message));
        }
        check_body_limit("gateway.body_limit_bytes", self.body_limit_bytes, text)
    }
}

/// Refuses a limit that no `Content-Length` may reach.
pub(super) fn check_body_limit(
    name: &str,
    limit: usize,
    text: &ConfigText<'_>,
) -> Result<(), ConfigError> {
    match limit <= MAX_CONTENT_LENGTH {
        true => Ok(()),
        false => Err(text.wrong(name, &format!("must be at most {MAX_CONTENT_LENGTH}"))),
    }
}

/// `[public]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct PublicSection {
    /// Address to listen on.
    #[config(env = "AKGATE_PUBLIC_LISTEN", default = "0.0.0.0:8081")]
    pub listen: SocketAddr,
    /// Certificate chain, a PEM file; reloaded when it changes.
    #[config(env = "AKGATE_PUBLIC_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate, a PEM file.
    #[config(env = "AKGATE_PUBLIC_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// Networks of the proxies whose X-Forwarded-For is trusted.
    #[config(env = "AKGATE_PUBLIC_TRUSTED_PROXIES", default = [], parse_env = list_by_comma)]
    pub trusted_proxies: Vec<IpNet>,
    /// Requests per second allowed from one address (for IPv6, one /64 network), with bursts of ten times as many. Further
    /// requests are refused (429).
    #[config(env = "AKGATE_PUBLIC_REQUESTS_PER_SECOND", default = 100)]
    pub requests_per_second: NonZeroU32,
    /// URL by which owners reach this listener, used for links in letters: "https://akgate.example.com".
    #[config(env = "AKGATE_PUBLIC_URL")]
    pub url: Option<String>,
}

impl PublicSection {
    pub(super) fn check_tls(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        check_tls_pair(
            "public",
            self.tls_cert.as_ref(),
            self.tls_key.as_ref(),
            text,
        )
    }

    pub(super) fn check(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        let key = "public.url";
        let Some(url) = &self.url else {
            return Err(text.missing(
                key,
                "letters link to it: set it to the URL by which owners reach the public listener, \"https://akgate.example.com\"",
            ));
        };
        match url.parse::<http::Uri>() {
            Ok(_) if is_safe_for_secrets(url) => Ok(()),
            Err(_) => Err(text.wrong(key, "must be \"https://HOST\"")),
            Ok(_) => Err(text.wrong(
                key,
                "must be \"https://HOST\", because the links in letters are secrets (http is allowed only for this machine)",
            )),
        }
    }
}

/// `[admin]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct AdminSection {
    /// Address to listen on.
    #[config(env = "AKGATE_ADMIN_LISTEN", default = "127.0.0.1:8082")]
    pub listen: SocketAddr,
    /// Certificate chain, a PEM file; reloaded when it changes.
    #[config(env = "AKGATE_ADMIN_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate, a PEM file.
    #[config(env = "AKGATE_ADMIN_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// Certificate authority of the operators, a PEM file; reloaded when it changes. If it is set, operators need a
    /// client certificate whose common name is the operator's name, and no token; a token that is sent in addition must
    /// belong to the same operator. Programs (role `service`) can still use a token alone.
    #[config(env = "AKGATE_ADMIN_CLIENT_CA")]
    pub client_ca: Option<PathBuf>,
    /// Revocation lists of that authority, a PEM file; reloaded when it changes.
    #[config(env = "AKGATE_ADMIN_CLIENT_CRL")]
    pub client_crl: Option<PathBuf>,
    /// Networks of the proxies whose X-Forwarded-For is trusted.
    #[config(env = "AKGATE_ADMIN_TRUSTED_PROXIES", default = [], parse_env = list_by_comma)]
    pub trusted_proxies: Vec<IpNet>,
    /// Requests per second allowed from one address (for IPv6, one /64 network), with bursts of ten times as many. Further
    /// requests are refused (429).
    #[config(env = "AKGATE_ADMIN_REQUESTS_PER_SECOND", default = 100)]
    pub requests_per_second: NonZeroU32,
    /// How long an approval stays open before it expires, in hours.
    #[config(env = "AKGATE_ADMIN_APPROVALS_EXPIRE_HOURS", default = 24)]
    pub approvals_expire_hours: u16,
    /// Restricting more descendants of a leaked AccessKey than this at once needs a second operator.
    #[config(env = "AKGATE_ADMIN_DESCENDANTS_APPROVAL_ABOVE", default = 100)]
    pub descendants_approval_above: usize,
    /// Sign-in with an OpenID Connect provider.
    #[config(nested)]
    pub oidc: OidcSection,
}

impl AdminSection {
    pub(super) fn check_limits(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        text.require_positive([(
            "admin.approvals_expire_hours",
            self.approvals_expire_hours > 0,
        )])
    }

    pub(super) fn check_tls(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        check_tls_pair("admin", self.tls_cert.as_ref(), self.tls_key.as_ref(), text)
    }

    pub(super) fn check(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        if self.client_ca.is_some() && self.tls_cert.is_none() {
            return Err(text.wrong(
                "admin.client_ca",
                "client certificates need TLS: set admin.tls_cert and admin.tls_key",
            ));
        }
        if self.client_crl.is_some() && self.client_ca.is_none() {
            return Err(text.wrong(
                "admin.client_crl",
                "also set admin.client_ca, the authority that issues the list",
            ));
        }
        self.oidc.check(text)
    }
}

/// A certificate and its key are both set, or neither.
fn check_tls_pair(
    section: &str,
    certificate: Option<&PathBuf>,
    key: Option<&PathBuf>,
    text: &ConfigText<'_>,
) -> Result<(), ConfigError> {
    match (certificate, key) {
        (Some(_), None) => Err(text.wrong(
            &format!("{section}.tls_cert"),
            "also set tls_key, the private key",
        )),
        (None, Some(_)) => Err(text.wrong(
            &format!("{section}.tls_key"),
            "also set tls_cert, the certificate",
        )),
        (Some(_), Some(_)) | (None, None) => Ok(()),
    }
}
