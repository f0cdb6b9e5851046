//! `akgate demo`: the whole product on one machine, with nothing to configure.

use std::io::{self, IsTerminal, Write};

use super::CommandExit;
use crate::demo::{self, DemoArgs};
use akgate_net::telemetry;

/// Runs the demo.
///
/// # Errors
/// An output cannot be written to.
pub fn run_demo_command(args: &DemoArgs, err: &mut impl Write) -> io::Result<CommandExit> {
    // The demo writes to standard output; the log contains only errors.
    let _log = telemetry::start_logging(telemetry::LogFormat::Text, "error")?;
    let color = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let runtime = tokio::runtime::Runtime::new()?;
    match runtime.block_on(demo::run_demo(args, io::stdout(), color)) {
        Ok(true) => Ok(CommandExit::Ok),
        Ok(false) => Ok(CommandExit::Failed),
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            Ok(CommandExit::Failed)
        }
    }
}
