//! `[sources]`: who reports leaks on the public listener.

use std::{num::NonZeroU32, path::PathBuf};

use confique::{Config, env::parse::list_by_comma};
use serde::Deserialize;

use super::{
    error::ConfigError, listeners::check_body_limit, secret::ConfigSecret, text::ConfigText,
};
use akgate_intake::delivery_contract::KeyIdCheck;
use akgate_net::https::is_safe_for_secrets;
use akgate_scan::SecretLengths;

/// A source whose contract is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum SourcePreset {
    /// GitHub secret scanning, as a partner.
    #[serde(rename = "github")]
    GitHub,
    /// The GitLab partner API.
    #[serde(rename = "gitlab")]
    GitLab,
    /// deps.dev.
    #[serde(rename = "deps.dev")]
    DepsDev,
}

/// A source that signs its deliveries.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedSource {
    /// The source's name: in the path of its endpoint, and recorded with every report.
    pub name: String,
    /// A known contract; settings given in addition override it.
    #[serde(default)]
    pub preset: Option<SourcePreset>,
    /// The header that names the key.
    #[serde(default)]
    pub id_header: Option<String>,
    /// The header that holds the signature.
    #[serde(default)]
    pub signature_header: Option<String>,
    /// Where it publishes its keys.
    #[serde(default)]
    pub keys_url: Option<String>,
    /// A bearer token for that address.
    #[serde(default)]
    pub keys_token: Option<ConfigSecret>,
    /// A file that holds that token.
    #[serde(default)]
    pub keys_token_file: Option<PathBuf>,
    /// A certificate authority of your own for that address, a PEM file.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// What binds a key to its identifier.
    #[serde(default)]
    pub id_check: Option<KeyIdCheck>,
    /// Whether the response tells the source what became of each element.
    #[serde(default)]
    pub feedback: Option<bool>,
}

/// A self-managed GitLab that uses the Token Revocation API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationSource {
    /// The source's name, as recorded with every report.
    pub name: String,
    /// The shared token.
    #[serde(default)]
    pub token: Option<ConfigSecret>,
    /// A file that holds that token.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
}

/// `[sources]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct SourcesSection {
    /// Maximum size of a delivery, in bytes.
    #[config(env = "AKGATE_SOURCES_BODY_LIMIT_BYTES", default = 16777216)]
    pub body_limit_bytes: usize,
    /// Timeout for a delivery to arrive, in seconds.
    #[config(env = "AKGATE_SOURCES_BODY_TIMEOUT_SECONDS", default = 30)]
    pub body_timeout_seconds: u64,
    /// Maximum total size of deliveries in progress, in bytes; further ones are refused (503).
    #[config(env = "AKGATE_SOURCES_BODY_BUDGET_BYTES", default = 134217728)]
    pub body_budget_bytes: usize,
    /// Timeout for a delivery in the database, in seconds. GitHub waits 30 seconds in total.
    #[config(env = "AKGATE_SOURCES_TIMEOUT_SECONDS", default = 20)]
    pub timeout_seconds: u64,
    /// Maximum number of new suspicions (unproven findings) per hour and source. Beyond it, the source is paused: its
    /// suspicions are held until an operator closes the task about it. Proven findings are never held.
    #[config(env = "AKGATE_SOURCES_SUSPECTED_PER_HOUR", default = 10000)]
    pub suspected_per_hour: u32,
    /// Further lengths of AccessKeySecrets, in characters (16 to 64), if yours do not all have the 30 of Alibaba Cloud: other
    /// lengths are not recognised in reports and files, unless their source says that a text is one.
    #[config(env = "AKGATE_SOURCES_SECRET_LENGTHS", default = [], parse_env = list_by_comma)]
    pub secret_lengths: Vec<usize>,
    /// Sources that sign, at POST /v1/leaks/NAME, each as [[sources.signed]]: name, and preset = "github", "gitlab" or
    /// "deps.dev". To override or replace a preset: id_header, signature_header, keys_url, keys_token (or
    /// keys_token_file), ca, id_check = "none", "sha256_pem" or "sha1_pem", feedback = true or false.
    #[config(default = [])]
    pub signed: Vec<SignedSource>,
    /// Self-managed GitLab instances that report through the Token Revocation API, each as [[sources.revocation]]: name,
    /// token (or token_file).
    #[config(default = [])]
    pub revocation: Vec<RevocationSource>,
    /// Reports from the public, at POST /report.
    #[config(nested)]
    pub public_report: PublicReportSection,
}

impl SourcesSection {
    pub(super) fn check_limits(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        text.require_positive([
            ("sources.timeout_seconds", self.timeout_seconds > 0),
            (
                "sources.body_timeout_seconds",
                self.body_timeout_seconds > 0,
            ),
        ])?;
        check_body_limit("sources.body_limit_bytes", self.body_limit_bytes, text)?;
        let lengths = SecretLengths::CONFIGURABLE;
        if !self
            .secret_lengths
            .iter()
            .all(|length| lengths.contains(length))
        {
            let message = format!("each must be {} to {}", lengths.start(), lengths.end());
            return Err(text.wrong("sources.secret_lengths", &message));
        }
        if self.body_budget_bytes < self.body_limit_bytes {
            let message = format!(
                "must be at least sources.body_limit_bytes, {}",
                self.body_limit_bytes
            );
            return Err(text.wrong("sources.body_budget_bytes", &message));
        }
        Ok(())
    }

    pub(super) fn check(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        let names = self.signed.iter().map(|one| one.name.as_str());
        let names = names.chain(self.revocation.iter().map(|one| one.name.as_str()));
        let names: Vec<&str> = names.collect();
        text.require_names("sources.signed", &names)?;
        if names.contains(&"public") {
            return Err(text.wrong(
                "sources.signed",
                "\"public\" is reserved for reports at POST /report",
            ));
        }
        for one in &self.signed {
            one.check(text)?;
        }
        for one in &self.revocation {
            one.check(text)?;
        }
        Ok(())
    }
}

impl RevocationSource {
    fn check(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        let key = "sources.revocation.token";
        if self.token.is_none() && self.token_file.is_none() {
            let message = format!("\"{}\": set `token`, or `token_file`", self.name);
            return Err(text.wrong("sources.revocation", &message));
        }
        let token = text.require_secret(key, self.token.as_ref(), self.token_file.as_ref())?;
        if token.expose().len() < 20 {
            return Err(text.wrong(
                "sources.revocation",
                "a token must have at least 20 characters: `openssl rand -hex 32`",
            ));
        }
        Ok(())
    }
}

/// `[sources.public_report]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct PublicReportSection {
    /// Whether anyone who proves possession of a secret can have its key restricted.
    #[config(env = "AKGATE_SOURCES_PUBLIC_REPORT_ENABLED", default = false)]
    pub enabled: bool,
    /// Maximum number of reports per minute and node; further ones are refused (429).
    #[config(env = "AKGATE_SOURCES_PUBLIC_REPORT_PER_MINUTE", default = 120)]
    pub per_minute: NonZeroU32,
    /// Maximum number per minute from one address, or one IPv6 /64 network.
    #[config(env = "AKGATE_SOURCES_PUBLIC_REPORT_PER_MINUTE_EACH", default = 6)]
    pub per_minute_each: NonZeroU32,
}

/// A signed source's contract, with what its preset says.
#[derive(Debug, Clone, Copy)]
pub struct SignedSourceView<'a> {
    /// The header that names the key.
    pub id_header: Option<&'a str>,
    /// The header that holds the signature.
    pub signature_header: Option<&'a str>,
    /// Where it publishes its keys.
    pub keys_url: Option<&'a str>,
    /// What binds a key to its identifier.
    pub id_check: KeyIdCheck,
    /// Whether the response tells the source what became of each element.
    pub feedback: bool,
}

impl SignedSource {
    /// The given settings, completed by the preset, which follows the source's documentation.
    #[must_use]
    pub fn view(&self) -> SignedSourceView<'_> {
        let preset = match self.preset {
            Some(SourcePreset::GitHub) => SignedSourceView {
                id_header: Some("github-public-key-identifier"),
                signature_header: Some("github-public-key-signature"),
                keys_url: Some("https://api.github.com/meta/public_keys/secret_scanning"),
                id_check: KeyIdCheck::Sha256Pem,
                feedback: true,
            },
            // GitLab hands the address out on request.
            Some(SourcePreset::GitLab) => SignedSourceView {
                id_header: Some("gitlab-public-key-identifier"),
                signature_header: Some("gitlab-public-key-signature"),
                keys_url: None,
                id_check: KeyIdCheck::Sha1Pem,
                feedback: false,
            },
            Some(SourcePreset::DepsDev) => SignedSourceView {
                id_header: Some("gosst-public-key-identifier"),
                signature_header: Some("gosst-public-key-signature"),
                keys_url: Some(
                    "https://storage.googleapis.com/depsdev-gcp-public-keys/secret_scanning",
                ),
                id_check: KeyIdCheck::None,
                feedback: false,
            },
            None => SignedSourceView {
                id_header: None,
                signature_header: None,
                keys_url: None,
                id_check: KeyIdCheck::None,
                feedback: false,
            },
        };
        SignedSourceView {
            id_header: self.id_header.as_deref().or(preset.id_header),
            signature_header: self.signature_header.as_deref().or(preset.signature_header),
            keys_url: self.keys_url.as_deref().or(preset.keys_url),
            id_check: self.id_check.unwrap_or(preset.id_check),
            feedback: self.feedback.unwrap_or(preset.feedback),
        }
    }
    fn check(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        let key = "sources.signed";
        let wrong = |what: &str| text.wrong(key, &format!("\"{}\": {what}", self.name));
        let view = self.view();
        for (name, header) in [
            ("id_header", view.id_header),
            ("signature_header", view.signature_header),
        ] {
            let named = header.is_some_and(|header| header.parse::<http::HeaderName>().is_ok());
            if !named {
                return Err(wrong(&format!(
                    "`{name}` must be the name of a header; or set `preset`"
                )));
            }
        }
        if !view.keys_url.is_some_and(is_safe_for_secrets) {
            return Err(wrong(
                "`keys_url` must be \"https://…\", because its keys sign leak reports (http is allowed only for this machine)",
            ));
        }
        if self.keys_token.is_some() || self.keys_token_file.is_some() {
            let key = "sources.signed.keys_token";
            text.require_secret(key, self.keys_token.as_ref(), self.keys_token_file.as_ref())?;
        }
        Ok(())
    }
}
