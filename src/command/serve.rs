//! `akgate serve`: the production role.

use std::io::{self, Write};

use super::{Exit, settings::Settings};
use crate::{config::Role, serve, telemetry};

/// Serve callers, owners and operators, and send letters, until SIGTERM
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    /// What this process does; all of it by default
    #[arg(long, value_enum, value_delimiter = ',')]
    roles: Vec<Role>,
}

/// Serves.
///
/// # Errors
/// That of the outputs.
pub fn run(args: &Args, err: &mut impl Write) -> io::Result<Exit> {
    let roles = match args.roles.as_slice() {
        [] => &Role::ALL[..],
        some => some,
    };
    let config = match args.settings.load(roles) {
        Ok(config) => config,
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            return Ok(Exit::Usage);
        }
    };
    let telemetry = &config.sections.telemetry;
    telemetry::start(telemetry.log_format, &telemetry.log_filter);
    let runtime = tokio::runtime::Runtime::new()?;
    match runtime.block_on(serve::serve(&config)) {
        Ok(()) => Ok(Exit::Ok),
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            Ok(Exit::Failed)
        }
    }
}
