//! Which server and token a command uses. Precedence: flag, environment variable, profile.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::format::OutputFormat;
use akgate_net::https::is_safe_for_secrets;
use akgate_state::operators::token::{InvalidToken, OperatorToken};

/// The file of profiles, below the folder for settings.
const PROFILES_FILE: &str = "akgate/profiles.toml";

/// The akgate to use, and the output format.
#[derive(Debug, Clone, clap::Args)]
pub struct Connection {
    /// URL of the admin API (https). The token comes from AKGATE_TOKEN or --token-file
    #[arg(
        long,
        value_name = "URL",
        env = "AKGATE_SERVER",
        hide_env_values = true
    )]
    server: Option<String>,
    /// File with your token
    #[arg(
        long,
        value_name = "FILE",
        env = "AKGATE_TOKEN_FILE",
        hide_env_values = true
    )]
    token_file: Option<PathBuf>,
    /// CA certificate of the admin API, a PEM file
    #[arg(long, value_name = "FILE", env = "AKGATE_CA", hide_env_values = true)]
    ca: Option<PathBuf>,
    /// Your client certificate, a PEM file, if the admin API requires one
    #[arg(
        long,
        value_name = "FILE",
        env = "AKGATE_CLIENT_CERT",
        hide_env_values = true
    )]
    client_cert: Option<PathBuf>,
    /// Private key of the client certificate, a PEM file
    #[arg(
        long,
        value_name = "FILE",
        env = "AKGATE_CLIENT_KEY",
        hide_env_values = true
    )]
    client_key: Option<PathBuf>,
    /// A profile in ~/.config/akgate/profiles.toml: a table with server, token_file, ca, client_cert and client_key
    #[arg(
        long,
        value_name = "NAME",
        env = "AKGATE_PROFILE",
        hide_env_values = true
    )]
    profile: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = OutputFormat::Table)]
    pub(super) output: OutputFormat,
}

/// One profile.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConnectionProfile {
    server: Option<String>,
    token_file: Option<PathBuf>,
    ca: Option<PathBuf>,
    client_cert: Option<PathBuf>,
    client_key: Option<PathBuf>,
}

/// The client certificate of an operator.
pub(super) struct ClientCertificate {
    pub chain: PathBuf,
    pub key: PathBuf,
}

/// The settings of a connection.
pub(super) struct ConnectionTarget {
    pub server: http::Uri,
    /// Where the token is kept, if in a file.
    pub token_file: Option<PathBuf>,
    pub ca: Option<PathBuf>,
    pub certificate: Option<ClientCertificate>,
}

/// Why the connection settings are not usable.
#[derive(Debug, thiserror::Error)]
pub enum ProfileFault {
    #[error(
        "no server given: pass --server URL, set AKGATE_SERVER, or add a profile with `server` to {0}"
    )]
    NoServer(String),
    #[error("`{0}` is not the URL of an admin API: https://HOST[:PORT]")]
    Server(String),
    #[error(
        "`{0}` would send the token unencrypted: use https (http is allowed only for this machine)"
    )]
    Plain(String),
    #[error("pass both --client-cert and --client-key")]
    HalfCertificate,
    #[error("no token given: set AKGATE_TOKEN, pass --token-file FILE, or set `token_file` in {0}")]
    NoToken(String),
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    #[error("{0}: {1}")]
    Profiles(String, toml::de::Error),
    #[error("{0} has no profile `{1}`")]
    NoProfile(String, String),
    #[error("{0}: {1}")]
    Token(String, InvalidToken),
}

impl Connection {
    /// The settings of a connection, with the token if there is one.
    pub(super) fn resolve(
        &self,
    ) -> Result<(ConnectionTarget, Result<OperatorToken, ProfileFault>), ProfileFault> {
        let file = profiles_file();
        let shown = file.display().to_string();
        let profile = self.profile(&file, &shown)?;
        let server = self.server.clone().or(profile.server);
        let server = server.ok_or_else(|| ProfileFault::NoServer(shown.clone()))?;
        let token_file = self.token_file.clone().or(profile.token_file);
        let token = match (env::var("AKGATE_TOKEN"), &token_file) {
            (Ok(token), _) => parse_token("AKGATE_TOKEN", &token),
            (Err(_), Some(file)) => read_token_file(file),
            (Err(_), None) => Err(ProfileFault::NoToken(shown)),
        };
        let chain = self.client_cert.clone().or(profile.client_cert);
        let key = self.client_key.clone().or(profile.client_key);
        let certificate = match (chain, key) {
            (Some(chain), Some(key)) => Some(ClientCertificate { chain, key }),
            (None, None) => None,
            _ => return Err(ProfileFault::HalfCertificate),
        };
        let target = ConnectionTarget {
            server: parse_address(&server)?,
            token_file,
            ca: self.ca.clone().or(profile.ca),
            certificate,
        };
        Ok((target, token))
    }

    /// The named profile, or `default` where there is one.
    fn profile(&self, file: &Path, shown: &str) -> Result<ConnectionProfile, ProfileFault> {
        let missing = |name: &str| ProfileFault::NoProfile(shown.to_owned(), name.to_owned());
        let text = match (fs::read_to_string(file), &self.profile) {
            (Ok(text), _) => text,
            (Err(_), None) => return Ok(ConnectionProfile::default()),
            (Err(_), Some(name)) => return Err(missing(name)),
        };
        let mut profiles: BTreeMap<String, ConnectionProfile> =
            toml::from_str(&text).map_err(|fault| ProfileFault::Profiles(shown.into(), fault))?;
        match &self.profile {
            Some(name) => profiles.remove(name).ok_or_else(|| missing(name)),
            None => Ok(profiles.remove("default").unwrap_or_default()),
        }
    }
}

fn read_token_file(file: &Path) -> Result<OperatorToken, ProfileFault> {
    let name = file.display().to_string();
    match fs::read_to_string(file) {
        Ok(text) => parse_token(&name, &text),
        Err(fault) => Err(ProfileFault::File(name, fault)),
    }
}

fn parse_token(name: &str, text: &str) -> Result<OperatorToken, ProfileFault> {
    OperatorToken::parse(text.trim()).map_err(|fault| ProfileFault::Token(name.to_owned(), fault))
}

/// Where profiles are kept: `AKGATE_PROFILES`, or the user's folder for settings (XDG Base Directory).
fn profiles_file() -> PathBuf {
    if let Some(file) = env::var_os("AKGATE_PROFILES") {
        return file.into();
    }
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    let folder = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    folder.or_else(home).unwrap_or_default().join(PROFILES_FILE)
}

fn parse_address(text: &str) -> Result<http::Uri, ProfileFault> {
    let wrong = || ProfileFault::Server(text.to_owned());
    let uri: http::Uri = text.trim_end_matches('/').parse().map_err(|_| wrong())?;
    if uri.host().is_none() || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(wrong());
    }
    match uri.scheme_str() {
        _ if is_safe_for_secrets(text) => Ok(uri),
        Some("http") => Err(ProfileFault::Plain(text.to_owned())),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_sent_only_over_tls_or_to_this_machine() {
        for good in [
            "https://akgate.example.com",
            "https://akgate.example.com:8082/",
            "http://localhost:8082",
            "http://127.0.0.1:8082",
            "http://[::1]:8082",
        ] {
            assert!(parse_address(good).is_ok(), "{good}");
        }
        assert!(matches!(
            parse_address("http://192.0.2.1:8082"),
            Err(ProfileFault::Plain(_))
        ));
        for bad in [
            "akgate.example.com",
            "https://h/admin/v1",
            "ftp://h",
            "https://",
            "http://localhost.example.com@x:1/y",
        ] {
            assert!(parse_address(bad).is_err(), "{bad}");
        }
        assert!(parse_address("http://localhost.example.com").is_err());
    }
}
