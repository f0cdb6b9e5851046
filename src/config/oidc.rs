//! `[admin.oidc]`: sign-in with an OpenID Connect provider.

#![allow(
    rustdoc::bare_urls,
    reason = "the comments are printed into the template of the file"
)]

use std::path::PathBuf;

use confique::{Config, env::parse::list_by_comma};

use super::{error::ConfigError, secret::ConfigSecret, text::ConfigText};
use akgate_net::https::is_safe_for_secrets;

/// `[admin.oidc]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct OidcSection {
    /// Issuer identifier of the provider: "https://login.example.com". If it is set, operators get a token with `akgate
    /// login`. Operators and their roles are still managed in akgate (`akgate operators add`).
    #[config(env = "AKGATE_ADMIN_OIDC_ISSUER")]
    pub issuer: Option<String>,
    /// Client id of akgate at the provider. Register akgate as an application with the redirect address
    /// http://127.0.0.1/signed-in, on any port.
    #[config(env = "AKGATE_ADMIN_OIDC_CLIENT_ID")]
    pub client_id: Option<String>,
    /// Client secret, if the provider issues one.
    #[config(env = "AKGATE_ADMIN_OIDC_CLIENT_SECRET")]
    pub client_secret: Option<ConfigSecret>,
    /// A file that contains the client secret.
    #[config(env = "AKGATE_ADMIN_OIDC_CLIENT_SECRET_FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// The scopes to request.
    #[config(env = "AKGATE_ADMIN_OIDC_SCOPES", default = ["openid", "email"], parse_env = list_by_comma)]
    pub scopes: Vec<String>,
    /// The claim whose value is the operator's name. `email` is accepted only if the provider has verified it. Do not use a
    /// claim that people can set themselves.
    #[config(env = "AKGATE_ADMIN_OIDC_CLAIM", default = "email")]
    pub claim: String,
    /// How long a token is valid, in hours.
    #[config(env = "AKGATE_ADMIN_OIDC_TOKEN_HOURS", default = 12)]
    pub token_hours: u16,
    /// CA certificate of the provider, a PEM file; by default, the public authorities are trusted.
    #[config(env = "AKGATE_ADMIN_OIDC_CA")]
    pub ca: Option<PathBuf>,
}

impl OidcSection {
    pub(super) fn check(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        let Some(issuer) = &self.issuer else {
            return match self.client_id {
                Some(_) => Err(text.missing(
                    "admin.oidc.issuer",
                    "set it to the provider's issuer identifier: \"https://login.example.com\"",
                )),
                None => Ok(()),
            };
        };
        if !is_safe_for_secrets(issuer) {
            return Err(text.wrong(
                "admin.oidc.issuer",
                "must be \"https://HOST\", because this server decides who an operator is (http is allowed only for this machine)",
            ));
        }
        if self.client_id.as_ref().is_none_or(String::is_empty) {
            return Err(text.missing(
                "admin.oidc.client_id",
                "set it to the id under which akgate is registered at the provider",
            ));
        }
        if !self.scopes.iter().any(|scope| scope == "openid") {
            return Err(text.wrong("admin.oidc.scopes", "must include \"openid\""));
        }
        if !(1..=24).contains(&self.token_hours) {
            return Err(text.wrong("admin.oidc.token_hours", "must be 1 to 24"));
        }
        match (&self.client_secret, &self.client_secret_file) {
            (None, None) => Ok(()),
            (given, file) => text
                .require_secret("admin.oidc.client_secret", given.as_ref(), file.as_ref())
                .map(drop),
        }
    }
}
