//! `[admin.oidc]`: people who sign in at a provider of their own.

#![allow(
    rustdoc::bare_urls,
    reason = "the comments are printed into the template of the file"
)]

use std::path::PathBuf;

use confique::{Config, env::parse::list_by_comma};

use super::Secret;

/// `[admin.oidc]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct OidcSection {
    /// The provider, as it calls itself: "https://login.example.com". With it operators get a token by `akgate login`; who
    /// is one, and what they may do, is decided here as before (`akgate operators add`).
    #[config(env = "AKGATE_ADMIN_OIDC_ISSUER")]
    pub issuer: Option<String>,
    /// How akgate is registered there: as an application whose redirect address is http://127.0.0.1/signed-in, with any
    /// port.
    #[config(env = "AKGATE_ADMIN_OIDC_CLIENT_ID")]
    pub client_id: Option<String>,
    /// Its secret, where the provider gives one.
    #[config(env = "AKGATE_ADMIN_OIDC_CLIENT_SECRET")]
    pub client_secret: Option<Secret>,
    /// A file that holds that secret.
    #[config(env = "AKGATE_ADMIN_OIDC_CLIENT_SECRET_FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// What is asked for.
    #[config(env = "AKGATE_ADMIN_OIDC_SCOPES", default = ["openid", "email"], parse_env = list_by_comma)]
    pub scopes: Vec<String>,
    /// The claim that is the operator's name. `email` counts where the provider has verified it. Take none that people
    /// choose themselves.
    #[config(env = "AKGATE_ADMIN_OIDC_CLAIM", default = "email")]
    pub claim: String,
    /// How long a token lasts, in hours.
    #[config(env = "AKGATE_ADMIN_OIDC_TOKEN_HOURS", default = 12)]
    pub token_hours: u16,
    /// Certificate authority of the provider, a PEM file; those of the web by default.
    #[config(env = "AKGATE_ADMIN_OIDC_CA")]
    pub ca: Option<PathBuf>,
}
