//! `akgate operators`: who may use the admin API.

use std::io::{self, Write};

use clap::Subcommand;

use super::{Exit, settings::Settings};
use crate::{
    clock::{Clock, SystemClock},
    operator::{Role, store},
    randomness::Randomness,
    serve::{ServeError, open_database},
};

/// Add those who may use the admin API
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Add an operator and print the token, once
    Add {
        /// How the audit names them
        name: String,
        /// service reads notices and reports bounces; viewer reads; operator also reports, confirms and lifts
        #[arg(long)]
        role: Role,
        /// Where the configuration is
        #[command(flatten)]
        settings: Settings,
    },
}

/// Why no operator was added.
#[derive(Debug, thiserror::Error)]
enum AddError {
    #[error(transparent)]
    Database(#[from] ServeError),
    #[error(transparent)]
    Add(#[from] store::AddFault),
    #[error(transparent)]
    Randomness(#[from] rand::rngs::SysError),
}

/// Adds an operator. The token goes to standard output, alone, so that it can be piped into a safe.
///
/// # Errors
/// That of the outputs.
pub fn run(command: &Command, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let Command::Add {
        name,
        role,
        settings,
    } = command;
    if name.trim().is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
        writeln!(err, "error: a name has 1 to 64 characters, none of control")?;
        return Ok(Exit::Usage);
    }
    let config = match settings.load_or_say(&[], err)? {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let added = runtime.block_on(async {
        let pool = open_database(&config).await?;
        let mut rng = Randomness::from_system()?.rng();
        let token = store::add(&pool, name, *role, SystemClock.now(), &mut rng).await?;
        pool.close().await;
        Ok::<_, AddError>(token)
    });
    match added {
        Ok(token) => {
            writeln!(
                err,
                "{name} may use the admin API as {role}. The token is shown once:"
            )?;
            writeln!(out, "{}", token.expose())?;
            Ok(Exit::Ok)
        }
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            Ok(Exit::Failed)
        }
    }
}
