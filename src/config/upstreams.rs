//! `[upstreams]`: the handlers that calls are forwarded to.

use std::{collections::BTreeMap, path::PathBuf};

use confique::Config;
use serde::Deserialize;

use super::{error::ConfigError, secret::ConfigSecret, text::ConfigText};
use akgate_rules::{
    operation::{DataFault, EffectList},
    request::style::CallStyle,
};

/// Stands for every action of a version.
pub const EVERY_ACTION: &str = "*";

/// What happens to the caller's credentials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialsChoice {
    /// They are removed; the upstream trusts the identity header.
    #[default]
    Drop,
    /// They are passed on, for an upstream that verifies the signature itself.
    Keep,
}

/// How the operations of a product are called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StyleChoice {
    /// All at `/`, by GET or POST, with a form or JSON.
    #[default]
    Rpc,
    /// Each at a path and method of its own.
    Roa,
}

impl From<StyleChoice> for CallStyle {
    fn from(choice: StyleChoice) -> Self {
        match choice {
            StyleChoice::Rpc => Self::Rpc,
            StyleChoice::Roa => Self::Roa,
        }
    }
}

/// A product outside the catalogue.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherUpstream {
    /// Its product code.
    pub product: String,
    /// Its API version.
    pub version: String,
    /// The actions that are served; `*` for all.
    pub actions: Vec<String>,
    /// The hosts that callers sign for it.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// How its operations are called.
    #[serde(default)]
    pub style: StyleChoice,
    /// What its operations change, by action; `*` for those that nobody has judged.
    #[serde(default)]
    pub effects: BTreeMap<String, String>,
    /// Its URL.
    pub url: String,
    /// What happens to the caller's credentials.
    #[serde(default)]
    pub credentials: CredentialsChoice,
    /// The key of its identity header.
    #[serde(default)]
    pub identity_key: Option<ConfigSecret>,
    /// A file that holds that key.
    #[serde(default)]
    pub identity_key_file: Option<PathBuf>,
    /// How long an answer may take to begin, in seconds.
    #[serde(default = "default_timeout_seconds")]
    pub timeout_seconds: u64,
    /// A certificate authority of your own, a PEM file.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

fn default_timeout_seconds() -> u64 {
    30
}

/// `[upstreams]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct UpstreamsSection {
    /// How long a connection to an upstream may be idle and still be used again, in seconds; 0 uses none again. Set it
    /// below the time after which the upstreams close idle connections.
    #[config(env = "AKGATE_UPSTREAMS_IDLE_TIMEOUT_SECONDS", default = 4)]
    pub idle_timeout_seconds: u64,
    /// RAM, 2015-05-01.
    #[config(nested)]
    pub ram: RamUpstream,
    /// IMS, 2019-08-15.
    #[config(nested)]
    pub ims: ImsUpstream,
    /// STS, 2015-04-01.
    #[config(nested)]
    pub sts: StsUpstream,
    /// ResourceManager, 2020-03-31.
    #[config(nested)]
    pub resourcemanager: ResourceManagerUpstream,
    /// Other products, each as [[upstreams.other]]: product, version, actions (or ["*"]), and the keys of the sections
    /// above. `style`: "rpc" (path /, GET or POST, form or JSON) or "roa". `hosts`: the hosts that callers sign for it, for
    /// the case that another product has an action of the same version and name. `effects`: what its operations change,
    /// such as { GetSecretValue = "Disclose", "*" = "Mutate(Other)" }; many have one already (akgate classify).
    #[config(default = [])]
    pub other: Vec<OtherUpstream>,
}

impl UpstreamsSection {
    pub(super) fn check(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        let catalogued = [
            ("upstreams.ram", self.ram.view()),
            ("upstreams.ims", self.ims.view()),
            ("upstreams.sts", self.sts.view()),
            ("upstreams.resourcemanager", self.resourcemanager.view()),
        ];
        let served = catalogued.iter().filter(|(_, one)| one.url.is_some());
        if served.count() == 0 && self.other.is_empty() {
            return Err(text.missing(
                "upstreams.ram.url",
                "a gateway needs an upstream: set it to a URL, or to \"sandbox\"",
            ));
        }
        for (name, one) in catalogued {
            one.check(name, text)?;
        }
        for other in &self.other {
            if other.actions.is_empty() {
                return Err(text.wrong(
                    "upstreams.other",
                    "`actions` must list the actions to serve",
                ));
            }
            other.view().check("upstreams.other", text)?;
        }
        Ok(())
    }

    /// The effects that are configured.
    pub(super) fn check_effects(&self, text: &ConfigText<'_>) -> Result<EffectList, ConfigError> {
        self.other_effects()
            .map_err(|fault| text.wrong("upstreams.other", &format!("`effects`: {fault}")))
    }

    /// The effects of operations of other products that are configured.
    ///
    /// # Errors
    /// What is wrong with the first that cannot be used.
    pub fn other_effects(&self) -> Result<EffectList, DataFault> {
        let mut list = EffectList::default();
        for other in &self.other {
            for (action, effect) in &other.effects {
                list.insert(&other.product, &other.version, action, effect)?;
            }
        }
        Ok(list)
    }
}

macro_rules! upstream {
    ($name:ident, $doc:literal, $url:literal, $credentials:literal, $key:literal, $key_file:literal, $timeout:literal, $ca:literal) => {
        #[doc = $doc]
        #[derive(Debug, Config)]
        #[config(layer_attr(serde(deny_unknown_fields)))]
        pub struct $name {
            /// "http://…" or "https://…" without a path, or "sandbox" for the built-in one.
            #[config(env = $url)]
            pub url: Option<String>,
            /// "drop": the caller's credentials are removed, and the upstream trusts the identity header. "keep": they are
            /// passed on, for an upstream that verifies the signature itself.
            #[config(env = $credentials, default = "drop")]
            pub credentials: CredentialsChoice,
            /// Key of the identity header, 64 hexadecimal digits. A secret.
            #[config(env = $key)]
            pub identity_key: Option<ConfigSecret>,
            /// A file that contains the key.
            #[config(env = $key_file)]
            pub identity_key_file: Option<PathBuf>,
            /// Timeout for a response to begin, in seconds.
            #[config(env = $timeout, default = 30)]
            pub timeout_seconds: u64,
            /// CA certificate of the upstream if it is not public, a PEM file.
            #[config(env = $ca)]
            pub ca: Option<PathBuf>,
        }

        impl $name {
            /// The section's members, whichever product it is.
            #[must_use]
            pub fn view(&self) -> UpstreamView<'_> {
                UpstreamView {
                    url: self.url.as_deref(),
                    credentials: self.credentials,
                    identity_key: self.identity_key.as_ref(),
                    identity_key_file: self.identity_key_file.as_ref(),
                    timeout_seconds: self.timeout_seconds,
                    ca: self.ca.as_ref(),
                }
            }
        }
    };
}

/// An upstream's section, whichever product it is.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamView<'a> {
    /// Its URL.
    pub url: Option<&'a str>,
    /// What happens to the caller's credentials.
    pub credentials: CredentialsChoice,
    /// The key of its identity header.
    pub identity_key: Option<&'a ConfigSecret>,
    /// A file that holds that key.
    pub identity_key_file: Option<&'a PathBuf>,
    /// How long an answer may take to begin, in seconds.
    pub timeout_seconds: u64,
    /// A certificate authority of one's own.
    pub ca: Option<&'a PathBuf>,
}

impl UpstreamView<'_> {
    /// Checks the upstream that stands under this key.
    fn check(self, name: &str, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        let Some(url) = self.url else {
            return Ok(());
        };
        let (url_key, credentials_key) = (format!("{name}.url"), format!("{name}.credentials"));
        if url == "sandbox" {
            return match self.credentials {
                CredentialsChoice::Drop => Ok(()),
                CredentialsChoice::Keep => Err(text.wrong(
                    &credentials_key,
                    "the sandbox uses the identity header, not the caller's credentials: set it to \"drop\"",
                )),
            };
        }
        let parsed: Option<http::Uri> = url.parse().ok();
        let good = parsed.is_some_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.authority().is_some()
                && uri.path() == "/"
                && uri.query().is_none()
        });
        if !good {
            return Err(text.wrong(
                &url_key,
                "must be \"http://HOST:PORT\" or \"https://HOST:PORT\" without a path, or \"sandbox\"",
            ));
        }
        if self.credentials == CredentialsChoice::Keep {
            return Ok(());
        }
        let key_name = format!("{name}.identity_key");
        let key = text.require_secret(&key_name, self.identity_key, self.identity_key_file)?;
        if hex::decode(key.expose()).is_ok_and(|bytes| bytes.len() == 32) {
            Ok(())
        } else {
            Err(text.wrong(
                &key_name,
                "must be 64 hexadecimal digits: `openssl rand -hex 32`",
            ))
        }
    }
}

impl OtherUpstream {
    /// Whether it serves every action.
    #[must_use]
    pub fn serves_all(&self) -> bool {
        self.actions.iter().any(|action| action == EVERY_ACTION)
    }

    /// The section's members, as the others have them.
    #[must_use]
    pub fn view(&self) -> UpstreamView<'_> {
        UpstreamView {
            url: Some(&self.url),
            credentials: self.credentials,
            identity_key: self.identity_key.as_ref(),
            identity_key_file: self.identity_key_file.as_ref(),
            timeout_seconds: self.timeout_seconds,
            ca: self.ca.as_ref(),
        }
    }
}

upstream!(
    RamUpstream,
    "`[upstreams.ram]`.",
    "AKGATE_UPSTREAMS_RAM_URL",
    "AKGATE_UPSTREAMS_RAM_CREDENTIALS",
    "AKGATE_UPSTREAMS_RAM_IDENTITY_KEY",
    "AKGATE_UPSTREAMS_RAM_IDENTITY_KEY_FILE",
    "AKGATE_UPSTREAMS_RAM_TIMEOUT_SECONDS",
    "AKGATE_UPSTREAMS_RAM_CA"
);
upstream!(
    ImsUpstream,
    "`[upstreams.ims]`.",
    "AKGATE_UPSTREAMS_IMS_URL",
    "AKGATE_UPSTREAMS_IMS_CREDENTIALS",
    "AKGATE_UPSTREAMS_IMS_IDENTITY_KEY",
    "AKGATE_UPSTREAMS_IMS_IDENTITY_KEY_FILE",
    "AKGATE_UPSTREAMS_IMS_TIMEOUT_SECONDS",
    "AKGATE_UPSTREAMS_IMS_CA"
);
upstream!(
    StsUpstream,
    "`[upstreams.sts]`.",
    "AKGATE_UPSTREAMS_STS_URL",
    "AKGATE_UPSTREAMS_STS_CREDENTIALS",
    "AKGATE_UPSTREAMS_STS_IDENTITY_KEY",
    "AKGATE_UPSTREAMS_STS_IDENTITY_KEY_FILE",
    "AKGATE_UPSTREAMS_STS_TIMEOUT_SECONDS",
    "AKGATE_UPSTREAMS_STS_CA"
);
upstream!(
    ResourceManagerUpstream,
    "`[upstreams.resourcemanager]`.",
    "AKGATE_UPSTREAMS_RESOURCEMANAGER_URL",
    "AKGATE_UPSTREAMS_RESOURCEMANAGER_CREDENTIALS",
    "AKGATE_UPSTREAMS_RESOURCEMANAGER_IDENTITY_KEY",
    "AKGATE_UPSTREAMS_RESOURCEMANAGER_IDENTITY_KEY_FILE",
    "AKGATE_UPSTREAMS_RESOURCEMANAGER_TIMEOUT_SECONDS",
    "AKGATE_UPSTREAMS_RESOURCEMANAGER_CA"
);
