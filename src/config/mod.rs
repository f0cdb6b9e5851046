//! The configuration: one file per section, parsed and checked once.
//!
//! Precedence: flag, environment variable (`AKGATE_` and the path of the key, such as `AKGATE_DATABASE_URL`), file,
//! default. A secret is given directly or in a file of its own (`x` or `x_file`), never both. An error names the file
//! and line with a caret, or the variable.

mod error;
mod events;
mod limits;
mod listeners;
mod mail;
mod oidc;
mod policy;
mod secret;
mod shared_operations;
mod shutdown;
mod sources;
mod storage;
mod telemetry;
mod text;
mod upstreams;

use std::path::Path;

use confique::{Config as _, toml::FormatOptions};

use self::text::ConfigText;
pub use self::{
    error::ConfigError,
    events::{EventsSection, HookFormatChoice, HookSection},
    limits::LimitsSection,
    listeners::{AdminSection, GatewaySection, PublicSection},
    mail::{EncryptionChoice, MailSection, TransportChoice},
    oidc::OidcSection,
    policy::{EscalationSection, FreshnessSection, PolicySection, ZonedInstant},
    secret::ConfigSecret,
    shared_operations::SharedOperation,
    shutdown::ShutdownSection,
    sources::{
        PublicReportSection, RevocationSource, SignedSource, SignedSourceView, SourcePreset,
        SourcesSection,
    },
    storage::{DatabaseSection, DirectorySection, RecordsSection, RegistrySection},
    telemetry::TelemetrySection,
    upstreams::{CredentialsChoice, OtherUpstream, StyleChoice, UpstreamView, UpstreamsSection},
};
use akgate_rules::operation::EffectList;

akgate_rules::text_enum! {
    /// What a process does.
    #[derive(clap::ValueEnum)]
    pub enum ProcessRole {
        /// Judges and forwards calls.
        Gateway = "gateway",
        /// Shows owners their pages.
        Public = "public",
        /// Serves operators.
        Admin = "admin",
        /// Sends letters and events, and maintains the database.
        Worker = "worker",
        /// Judges copies of calls instead of serving calls: forwards and refuses nothing.
        #[value(skip)]
        Observer = "observer",
    }
}

impl ProcessRole {
    /// The default roles.
    pub const DEFAULT: [Self; 4] = [Self::Gateway, Self::Public, Self::Admin, Self::Worker];

    /// The roles of a process that observes: it sends no letters, because nothing is refused.
    pub const WATCHING: [Self; 2] = [Self::Observer, Self::Admin];
}

/// akgate's configuration (TOML). Every setting is commented out at its default. Precedence: flag, environment variable,
/// file. A secret can be kept in a file of its own: set `x_file` instead of `x`. `akgate config check --config FILE`
/// shows the settings, or the first error.
#[derive(Debug, confique::Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct ConfigSections {
    /// The listener for API callers.
    #[config(nested)]
    pub gateway: GatewaySection,
    /// The listener for account owners: the pages that letters link to.
    #[config(nested)]
    pub public: PublicSection,
    /// The listener for operators.
    #[config(nested)]
    pub admin: AdminSection,
    /// How much may be under way at a time.
    #[config(nested)]
    pub limits: LimitsSection,
    /// Health, metrics and log.
    #[config(nested)]
    pub telemetry: TelemetrySection,
    /// The services that calls are forwarded to. A product without a `url` is not served.
    #[config(nested)]
    pub upstreams: UpstreamsSection,
    /// PostgreSQL.
    #[config(nested)]
    pub database: DatabaseSection,
    /// akgate's copy of the IAM's AccessKeys.
    #[config(nested)]
    pub directory: DirectorySection,
    /// How nodes receive changes.
    #[config(nested)]
    pub registry: RegistrySection,
    /// Sources of leak reports, on the public listener.
    #[config(nested)]
    pub sources: SourcesSection,
    /// What leaked AccessKeys are refused.
    #[config(nested)]
    pub policy: PolicySection,
    /// Replay protection. The protocol allows signed times to differ from the clock by 15 minutes; this is not configurable.
    #[config(nested)]
    pub freshness: FreshnessSection,
    /// Letters to account owners.
    #[config(nested)]
    pub mail: MailSection,
    /// Events to other programs.
    #[config(nested)]
    pub events: EventsSection,
    /// Records of calls.
    #[config(nested)]
    pub records: RecordsSection,
    /// The end of a process.
    #[config(nested)]
    pub shutdown: ShutdownSection,
}

impl ConfigSections {
    /// Checks each section: first what every process needs, then what the roles need.
    fn check(self, roles: &[ProcessRole], text: &ConfigText<'_>) -> Result<Config, ConfigError> {
        let database_url = self.database.check_url(text)?;
        let key_ring = self.directory.check_key_ring(text)?;
        self.registry.check_limits(text)?;
        self.directory.check_limits(text)?;
        self.policy.check_limits(text)?;
        self.gateway.check_limits(text)?;
        self.admin.check_limits(text)?;
        self.limits.check(text)?;
        self.sources.check_limits(text)?;
        self.database.check_limits(text)?;
        self.freshness.check_limits(text)?;
        self.shutdown.check_limits(text)?;
        self.upstreams.check_effects(text)?;
        self.gateway.check_tls(text)?;
        self.public.check_tls(text)?;
        self.admin.check_tls(text)?;
        let has = |role| roles.contains(&role);
        if has(ProcessRole::Admin) {
            self.admin.check(text)?;
        }
        if has(ProcessRole::Gateway) {
            self.gateway.check(text)?;
            self.upstreams.check(text)?;
            shared_operations::check_upstreams(&self.upstreams.other, text)?;
        }
        if has(ProcessRole::Public) || has(ProcessRole::Worker) {
            self.public.check(text)?;
        }
        if has(ProcessRole::Public) {
            self.sources.check(text)?;
        }
        if has(ProcessRole::Worker) {
            self.mail.check(text)?;
            self.events.check(text)?;
        }
        Ok(Config {
            roles: roles.to_vec(),
            sections: self,
            database_url,
            key_ring,
        })
    }
}

/// A configuration that was checked for the roles of a process.
#[derive(Debug)]
pub struct Config {
    /// What the process does.
    pub roles: Vec<ProcessRole>,
    /// The sections, checked.
    pub sections: ConfigSections,
    /// The database's URL.
    pub database_url: ConfigSecret,
    /// The key ring's text.
    pub key_ring: ConfigSecret,
}

/// The effects of operations of other products that a file configures, whatever else stands in it.
///
/// # Errors
/// [`ConfigError`] where it cannot be read, and for an effect that no operation can have.
pub fn load_effects(file: &Path) -> Result<EffectList, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|fault| ConfigError::file(file, &fault))?;
    let loaded = ConfigSections::builder().env().file(file).load();
    let sections = loaded.map_err(|fault| ConfigError::load(Some(file), &fault))?;
    let text = ConfigText {
        file: Some(file),
        text,
    };
    sections.upstreams.check_effects(&text)
}

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`ConfigError`]: the first error, for a person.
    pub fn load(
        file: Option<&Path>,
        database_url: Option<ConfigSecret>,
        roles: &[ProcessRole],
    ) -> Result<Self, ConfigError> {
        let mut builder = ConfigSections::builder();
        if let Some(url) = database_url {
            let mut flags =
                <<ConfigSections as confique::Config>::Layer as confique::Layer>::empty();
            flags.database.url = Some(url);
            builder = builder.preloaded(flags);
        }
        builder = builder.env();
        let text = match file {
            Some(path) => {
                builder = builder.file(path);
                std::fs::read_to_string(path).map_err(|fault| ConfigError::file(path, &fault))?
            }
            None => String::new(),
        };
        let sections = builder
            .load()
            .map_err(|fault| ConfigError::load(file, &fault))?;
        sections.check(roles, &ConfigText { file, text })
    }

    /// Whether this process judges calls and so has to follow the registry.
    #[must_use]
    pub fn judges(&self) -> bool {
        self.has(ProcessRole::Gateway) || self.has(ProcessRole::Observer)
    }

    /// Whether this process has a role.
    #[must_use]
    pub fn has(&self, role: ProcessRole) -> bool {
        self.roles.contains(&role)
    }
}

/// The template: every setting, commented out.
#[must_use]
pub fn render_template() -> String {
    confique::toml::template::<ConfigSections>(FormatOptions::default())
}
