//! What every command on a node does: it reads the node's configuration and uses its database.

use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};

use super::{CommandExit, settings::ConfigArgs};
use crate::{
    config::{Config, ProcessRole},
    serve::ServeError,
};
use akgate_rules::operation::DataError;
use akgate_state::{
    directory::{StateFault, sealing::KeyRingFault},
    live::barrier::LostChange,
    operators::store::OperatorFault,
    randomness::NoRandomness,
};

/// How long background tasks may take to end after a command.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a command on a node fails.
#[derive(Debug, thiserror::Error)]
pub(super) enum NodeFault {
    /// The arguments are not valid.
    #[error("{0}")]
    Usage(String),
    /// A failover of the database has lost the change.
    #[error("{0}: import it again")]
    Lost(#[from] LostChange),
    #[error("{path}: {fault}")]
    File { path: String, fault: io::Error },
    #[error("the thread that reads the file ended early")]
    Reader,
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("the key ring: {0}")]
    KeyRing(#[from] KeyRingFault),
    #[error(transparent)]
    State(#[from] StateFault),
    /// As [`NodeFault::State`], for a command that can be run again to continue.
    #[error("{0}. The work done so far is kept; run the command again")]
    Interrupted(StateFault),
    #[error(transparent)]
    Operator(#[from] OperatorFault),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl NodeFault {
    /// A file cannot be used.
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |fault| Self::File {
            path: path.display().to_string(),
            fault,
        }
    }

    /// Says that the command can be run again for the rest.
    pub(super) fn resumable(self) -> Self {
        match self {
            Self::State(fault) => Self::Interrupted(fault),
            other => other,
        }
    }
}

/// Reads the configuration for these roles, runs the work, and prints what went wrong.
///
/// # Errors
/// An output cannot be written to.
pub(super) fn run_on_node<E: Write>(
    settings: &ConfigArgs,
    roles: &[ProcessRole],
    err: &mut E,
    work: impl AsyncFnOnce(&Config, &mut E) -> Result<CommandExit, NodeFault>,
) -> io::Result<CommandExit> {
    let config = match settings.load(roles) {
        Ok(config) => config,
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            return Ok(CommandExit::Usage);
        }
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let done = runtime.block_on(work(&config, err));
    // A name that does not resolve, say, would be waited for.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    match done {
        Ok(exit) => Ok(exit),
        Err(NodeFault::Output(fault)) => Err(fault),
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            Ok(match fault {
                NodeFault::Usage(_) => CommandExit::Usage,
                _ => CommandExit::Failed,
            })
        }
    }
}
