//! What every command that reads the configuration takes.

use std::path::PathBuf;

use crate::config::{Config, ConfigError, ConfigSecret, ProcessRole};

/// The options that locate the configuration.
#[derive(Debug, Clone, clap::Args)]
pub struct ConfigArgs {
    /// Configuration file; `akgate config template` prints a template
    #[arg(long, value_name = "FILE", env = "AKGATE_CONFIG")]
    pub config: Option<PathBuf>,
    /// URL of the PostgreSQL database, overrides the configuration
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
}

impl ConfigArgs {
    /// Reads the configuration for some roles.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(&self, roles: &[ProcessRole]) -> Result<Config, ConfigError> {
        let url = self.database_url.clone().map(ConfigSecret::new);
        Config::load(self.config.as_deref(), url, roles)
    }
}
