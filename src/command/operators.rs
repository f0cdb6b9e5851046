//! `akgate operators`: who may use the admin API.

use std::io::{self, Write};

use clap::Subcommand;
use time::Duration;

use super::{Exit, api, settings::Settings};
use crate::serve::{ServeError, open_database};
use akgate_state::{
    audit::Actor,
    clock::{Clock, SystemClock},
    operators::{
        Role,
        store::{self, MOST_TOKEN_DAYS, TOKEN_DAYS},
    },
    randomness::Randomness,
};

/// Add those who may use the admin API, look at them and their tokens, and end them
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Add an operator on a node, by its configuration, and print the token, once
    Add {
        /// How the audit names them
        name: String,
        /// service reads notices and reports bounces; viewer reads; operator also reports, confirms and lifts;
        /// approver also decides what needs two people; admin also manages operators
        #[arg(long)]
        role: Role,
        /// How long the token lasts
        #[arg(long, value_name = "DAYS", default_value_t = TOKEN_DAYS,
            value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_TOKEN_DAYS)))]
        token_days: u16,
        /// Without a token: for who signs in at a provider, or shows a certificate
        #[arg(long, conflicts_with = "token_days")]
        no_token: bool,
        /// Where the configuration is
        #[command(flatten)]
        settings: Settings,
    },
    /// Over the admin API
    #[command(flatten)]
    OverApi(api::operators::Command),
}

/// Why no operator was added.
#[derive(Debug, thiserror::Error)]
enum AddError {
    #[error(transparent)]
    Database(#[from] ServeError),
    #[error(transparent)]
    Add(#[from] store::OperatorFault),
    #[error(transparent)]
    Randomness(#[from] rand::rngs::SysError),
}

/// Adds an operator. The token goes to standard output, alone, so that it can be piped into a safe.
///
/// # Errors
/// That of the outputs.
pub fn run(command: &Command, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let (name, role, token, settings) = match command {
        Command::Add {
            name,
            role,
            token_days,
            no_token,
            settings,
        } => {
            let lasts = Duration::days((*token_days).into());
            (name, *role, (!no_token).then_some(lasts), settings)
        }
        Command::OverApi(command) => return api::operators::run(command, out, err),
    };
    if !store::is_name(name) {
        writeln!(
            err,
            "error: a name is 1 to 64 of A-Z, a-z, 0-9, `.`, `_`, `@` and `-`"
        )?;
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
        let (by, now) = (Actor::Akgate, SystemClock.now());
        let made = store::add(&pool, name, role, token, &by, now, &mut rng).await?;
        pool.close().await;
        Ok::<_, AddError>(made)
    });
    match added {
        Ok(None) => {
            writeln!(err, "{name} may use the admin API as {role}.")?;
            Ok(Exit::Ok)
        }
        Ok(Some(made)) => {
            writeln!(
                err,
                "{name} may use the admin API as {role} until {}. The token is shown once:",
                made.expires_at.date()
            )?;
            writeln!(out, "{}", made.token.expose())?;
            Ok(Exit::Ok)
        }
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            Ok(Exit::Failed)
        }
    }
}
