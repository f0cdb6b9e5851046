//! `akgate serve`: the production role.

use std::io::{self, Write};

use super::{CommandExit, node::run_on_node, settings::ConfigArgs};
use crate::{
    config::ProcessRole,
    serve::{self, ServeError},
};
use akgate_net::telemetry;

/// Run akgate: gateway, public pages, admin API and worker, until SIGTERM
#[derive(Debug, Clone, clap::Args)]
pub struct ServeArgs {
    #[command(flatten)]
    settings: ConfigArgs,
    /// Roles of this process; all by default
    #[arg(long, value_enum, value_delimiter = ',')]
    roles: Vec<ProcessRole>,
    /// Observe from outside the path: judge copies of calls (such as an nginx `mirror` sends), refuse and forward nothing.
    /// `akgate policy observed` and the admin API show what would have been refused
    #[arg(long)]
    observe: bool,
}

/// Serves.
///
/// # Errors
/// An output cannot be written to.
pub fn run_serve(args: &ServeArgs, err: &mut impl Write) -> io::Result<CommandExit> {
    let roles = match (args.observe, args.roles.as_slice()) {
        (false, []) => &ProcessRole::DEFAULT[..],
        (false, some) => some,
        (true, []) => &ProcessRole::WATCHING[..],
        (true, [ProcessRole::Admin]) => &[ProcessRole::Observer, ProcessRole::Admin],
        (true, _) => {
            writeln!(
                err,
                "error: --observe replaces the gateway and sends no letters: combine it only with --roles admin"
            )?;
            return Ok(CommandExit::Usage);
        }
    };
    run_on_node(&args.settings, roles, err, async |config, _| {
        let telemetry = &config.sections.telemetry;
        let _log = telemetry::start_logging(telemetry.log_format, &telemetry.log_filter)
            .map_err(ServeError::from)?;
        serve::run_process(config).await?;
        Ok(CommandExit::Ok)
    })
}
