//! `akgate operators`: adds the first operators; the other commands use the admin API.

use std::io::{self, Write};

use clap::Subcommand;
use time::Duration;

use super::{CommandExit, api, node::run_on_node, settings::ConfigArgs};
use crate::serve::open_database;
use akgate_api::operators::{MOST_TOKEN_DAYS, Role, TOKEN_DAYS};
use akgate_state::{
    audit::Actor,
    clock::{Clock, SystemClock},
    operators::store,
    randomness::Randomness,
};

/// Add, list and revoke operators of the admin API and their tokens
#[derive(Debug, Clone, Subcommand)]
pub enum OperatorsCommand {
    /// Add an operator, on a node and with its configuration, and print the token once
    Add {
        /// The operator's name in the audit log
        name: String,
        /// service: read notices and report bounces; viewer: read; operator: also report, confirm and lift;
        /// approver: also approve what others request; admin: also manage operators
        #[arg(long)]
        role: Role,
        /// How many days the token is valid
        #[arg(long, value_name = "DAYS", default_value_t = TOKEN_DAYS,
            value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_TOKEN_DAYS)))]
        token_days: u16,
        /// Create no token: for operators who sign in with a provider or use a certificate
        #[arg(long, conflicts_with = "token_days")]
        no_token: bool,
        /// Configuration
        #[command(flatten)]
        settings: ConfigArgs,
    },
    /// Commands that use the admin API
    #[command(flatten)]
    OverApi(api::WithConnection<api::operators::OperatorsApiCommand>),
}

/// Adds an operator. The token goes to standard output, alone, so that it can be piped into a safe.
///
/// # Errors
/// An output cannot be written to.
pub fn run_operators(
    command: &OperatorsCommand,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    let (name, role, token, settings) = match command {
        OperatorsCommand::Add {
            name,
            role,
            token_days,
            no_token,
            settings,
        } => {
            let lasts = Duration::days((*token_days).into());
            (name, *role, (!no_token).then_some(lasts), settings)
        }
        OperatorsCommand::OverApi(command) => return command.run(out, err),
    };
    if !store::is_operator_name(name) {
        writeln!(
            err,
            "error: a name must consist of 1 to 64 of A-Z, a-z, 0-9, `.`, `_`, `@` and `-`"
        )?;
        return Ok(CommandExit::Usage);
    }
    run_on_node(settings, &[], err, async |config, err| {
        let pool = open_database(config).await?;
        let mut rng = Randomness::from_system()?.rng();
        let (by, now) = (Actor::Akgate, SystemClock.now());
        let made = store::add_operator(&pool, name, role, token, &by, now, &mut rng).await?;
        pool.close().await;
        match made {
            None => writeln!(err, "{name} can use the admin API as {role}.")?,
            Some(made) => {
                writeln!(
                    err,
                    "{name} can use the admin API as {role} until {}. The token is shown only once:",
                    made.expires_at.date()
                )?;
                writeln!(out, "{}", made.token.expose())?;
            }
        }
        Ok(CommandExit::Ok)
    })
}
