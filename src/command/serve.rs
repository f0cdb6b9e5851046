//! `akgate serve`: the production role.

use std::io::{self, Write};

use super::{Exit, settings::Settings};
use crate::{config::Role, serve};
use akgate_net::telemetry;

/// Run akgate: gateway, public pages, admin API and worker, until SIGTERM
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Roles of this process; all by default
    #[arg(long, value_enum, value_delimiter = ',')]
    roles: Vec<Role>,
    /// Observe from outside the path: judge copies of calls (such as an nginx `mirror` sends), refuse and forward nothing.
    /// `akgate policy observed` and the admin API show what would have been refused
    #[arg(long)]
    observe: bool,
}

/// Serves.
///
/// # Errors
/// That of the outputs.
pub fn run(args: &Args, err: &mut impl Write) -> io::Result<Exit> {
    let roles = match (args.observe, args.roles.as_slice()) {
        (false, []) => &Role::DEFAULT[..],
        (false, some) => some,
        (true, []) => &Role::WATCHING[..],
        (true, [Role::Admin]) => &[Role::Observer, Role::Admin],
        (true, _) => {
            writeln!(
                err,
                "error: --observe replaces the gateway and sends no letters: combine it only with --roles admin"
            )?;
            return Ok(Exit::Usage);
        }
    };
    let config = match args.settings.load_or_say(roles, err)? {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
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
