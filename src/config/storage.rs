//! `[database]`, `[directory]`, `[registry]`, `[records]`: the database, the directory, how nodes follow changes, and
//! records.

use std::path::PathBuf;

use confique::Config;

use super::{error::ConfigError, secret::ConfigSecret, text::ConfigText};
use akgate_state::{
    database::{CommitDurability, DatabaseUrl},
    directory::sealing::KeyRing,
};

/// `[database]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct DatabaseSection {
    /// URL of the PostgreSQL database: "postgresql://akgate:PASSWORD@db.example.com/akgate?sslmode=verify-full". Several
    /// hosts are separated by commas; akgate uses the one that accepts writes. A secret.
    #[config(env = "AKGATE_DATABASE_URL")]
    pub url: Option<ConfigSecret>,
    /// A file that contains the URL.
    #[config(env = "AKGATE_DATABASE_URL_FILE")]
    pub url_file: Option<PathBuf>,
    /// Maximum number of connections for calls. Up to 19 more are opened beside them: 4 each for changes and leases, the
    /// admin API, the public listener and the worker, and 3 for notifications.
    #[config(env = "AKGATE_DATABASE_MAX_CONNECTIONS", default = 12)]
    pub max_connections: u32,
    /// Timeout of one database call, in seconds.
    #[config(env = "AKGATE_DATABASE_TIMEOUT_SECONDS", default = 5)]
    pub timeout_seconds: u64,
    /// What a commit waits for (PostgreSQL's synchronous_commit): "on", "remote_apply", "remote_write"; with "local" or
    /// "off", a failover or a crash may lose changes that were acknowledged.
    #[config(env = "AKGATE_DATABASE_SYNCHRONOUS_COMMIT", default = "on")]
    pub synchronous_commit: CommitDurability,
    /// Whether migrations are applied at startup.
    #[config(env = "AKGATE_DATABASE_MIGRATE", default = true)]
    pub migrate: bool,
}

impl DatabaseSection {
    pub(super) fn check_url(&self, text: &ConfigText<'_>) -> Result<ConfigSecret, ConfigError> {
        let key = "database.url";
        let url = text.require_secret(key, self.url.as_ref(), self.url_file.as_ref())?;
        match DatabaseUrl::parse(url.expose()) {
            Ok(_) => Ok(url),
            Err(fault) => Err(text.wrong(
                key,
                &format!("the URL {fault}. Example: \"postgresql://USER:PASSWORD@HOST/DATABASE\""),
            )),
        }
    }

    pub(super) fn check_limits(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        text.require_positive([
            ("database.timeout_seconds", self.timeout_seconds > 0),
            ("database.max_connections", self.max_connections > 0),
        ])
    }
}

/// `[directory]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct DirectorySection {
    /// The key ring that seals secrets: lines `seal ID HEX` and one `index HEX`, 64 hexadecimal digits each. A secret.
    #[config(env = "AKGATE_DIRECTORY_KEY_RING")]
    pub key_ring: Option<ConfigSecret>,
    /// A file that contains the key ring.
    #[config(env = "AKGATE_DIRECTORY_KEY_RING_FILE")]
    pub key_ring_file: Option<PathBuf>,
    /// Maximum number of AccessKeys kept in memory with their secrets.
    #[config(env = "AKGATE_DIRECTORY_CACHED_KEYS", default = 100000)]
    pub cached_keys: usize,
    /// Maximum number of concurrent lookups of unknown AccessKeyIds; further ones are refused (Throttling.User).
    #[config(env = "AKGATE_DIRECTORY_LOOKUPS", default = 8)]
    pub lookups: usize,
    /// How long an unknown AccessKeyId is not looked up again, in seconds, at most 5.
    #[config(env = "AKGATE_DIRECTORY_NEGATIVE_SECONDS", default = 5)]
    pub negative_seconds: u64,
}

impl DirectorySection {
    pub(super) fn check_key_ring(
        &self,
        text: &ConfigText<'_>,
    ) -> Result<ConfigSecret, ConfigError> {
        let (given, file) = (self.key_ring.as_ref(), self.key_ring_file.as_ref());
        let key_ring = text.require_secret("directory.key_ring", given, file)?;
        match KeyRing::parse(key_ring.expose()) {
            Ok(_) => Ok(key_ring),
            Err(fault) => {
                let key = match file {
                    Some(_) => "directory.key_ring_file",
                    None => "directory.key_ring",
                };
                Err(text.wrong(key, &fault.to_string()))
            }
        }
    }

    pub(super) fn check_limits(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        if self.negative_seconds > 5 {
            return Err(text.wrong("directory.negative_seconds", "must be at most 5"));
        }
        text.require_positive([
            ("directory.lookups", self.lookups > 0),
            ("directory.cached_keys", self.cached_keys > 0),
        ])
    }
}

/// `[registry]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct RegistrySection {
    /// Time between two checks for changes, in milliseconds, 10 to 1000.
    #[config(env = "AKGATE_REGISTRY_POLL_MILLISECONDS", default = 250)]
    pub poll_milliseconds: u64,
    /// Whether to use PostgreSQL's notifications, which deliver changes faster.
    #[config(env = "AKGATE_REGISTRY_NOTIFY", default = true)]
    pub notify: bool,
}

impl RegistrySection {
    pub(super) fn check_limits(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        match self.poll_milliseconds {
            10..=1000 => Ok(()),
            _ => Err(text.wrong("registry.poll_milliseconds", "must be 10 to 1000")),
        }
    }
}

/// `[records]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct RecordsSection {
    /// How many days records of calls that change something are kept.
    #[config(env = "AKGATE_RECORDS_RETENTION_DAYS", default = 90)]
    pub retention_days: u16,
    /// How many days it is kept which AccessKey made which other, which user, which role and which identity provider.
    #[config(env = "AKGATE_RECORDS_LINEAGE_DAYS", default = 1096)]
    pub lineage_days: u16,
}
