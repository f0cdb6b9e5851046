//! `akgate demo`: the whole product on one machine, with nothing to configure.

use std::io::{self, IsTerminal, Write};

use super::Exit;
use crate::demo::{self, Args};
use akgate_net::telemetry;

/// Runs the demo.
///
/// # Errors
/// That of the outputs.
pub fn run(args: &Args, err: &mut impl Write) -> io::Result<Exit> {
    // The story is on standard output; the log only speaks of what goes wrong.
    telemetry::start(telemetry::Format::Text, "error");
    let color = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let runtime = tokio::runtime::Runtime::new()?;
    match runtime.block_on(demo::run(args, io::stdout(), color)) {
        Ok(true) => Ok(Exit::Ok),
        Ok(false) => Ok(Exit::Failed),
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            Ok(Exit::Failed)
        }
    }
}
