//! `[database]`, `[directory]`, `[registry]`, `[records]`: what is kept, and how it is followed.

use std::path::PathBuf;

use confique::Config;

use super::Secret;

/// `[database]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct DatabaseSection {
    /// PostgreSQL's URL: "postgresql://akgate:PASSWORD@db.example.com/akgate?sslmode=verify-full". A secret.
    #[config(env = "AKGATE_DATABASE_URL")]
    pub url: Option<Secret>,
    /// A file that holds the URL.
    #[config(env = "AKGATE_DATABASE_URL_FILE")]
    pub url_file: Option<PathBuf>,
    /// Connections at most. Four of them are for news and leases, and one for notifications comes on top.
    #[config(env = "AKGATE_DATABASE_MAX_CONNECTIONS", default = 16)]
    pub max_connections: u32,
    /// How long one call may take, in seconds.
    #[config(env = "AKGATE_DATABASE_TIMEOUT_SECONDS", default = 5)]
    pub timeout_seconds: u64,
    /// Whether migrations are applied at the start.
    #[config(env = "AKGATE_DATABASE_MIGRATE", default = true)]
    pub migrate: bool,
}

/// `[directory]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct DirectorySection {
    /// The key ring that seals secrets: lines `seal ID HEX` and one `index HEX`, 64 hexadecimal digits each. A secret.
    #[config(env = "AKGATE_DIRECTORY_KEY_RING")]
    pub key_ring: Option<Secret>,
    /// A file that holds the key ring.
    #[config(env = "AKGATE_DIRECTORY_KEY_RING_FILE")]
    pub key_ring_file: Option<PathBuf>,
    /// How many AccessKeys are kept in memory with their secrets.
    #[config(env = "AKGATE_DIRECTORY_CACHED_KEYS", default = 100000)]
    pub cached_keys: usize,
    /// How many unknown AccessKeyIds are looked up at a time; more are refused (Throttling.User).
    #[config(env = "AKGATE_DIRECTORY_LOOKUPS", default = 8)]
    pub lookups: usize,
    /// For how long an AccessKeyId that nobody knows is not looked up again, in seconds, 5 at most.
    #[config(env = "AKGATE_DIRECTORY_NEGATIVE_SECONDS", default = 5)]
    pub negative_seconds: u64,
}

/// `[registry]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct RegistrySection {
    /// Time between two looks at the revision, in milliseconds, 10 to 1000.
    #[config(env = "AKGATE_REGISTRY_POLL_MILLISECONDS", default = 250)]
    pub poll_milliseconds: u64,
    /// Whether PostgreSQL's notifications are listened for, which makes news faster.
    #[config(env = "AKGATE_REGISTRY_NOTIFY", default = true)]
    pub notify: bool,
}

/// `[records]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct RecordsSection {
    /// For how many days records of mutations are kept.
    #[config(env = "AKGATE_RECORDS_RETENTION_DAYS", default = 90)]
    pub retention_days: u16,
}
