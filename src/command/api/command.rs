//! What every command over the admin API has: the options of its connection, and how it runs.

use std::io::{self, Write};

use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand, builder::Resettable};

use super::{
    client::{AdminClient, ApiFault, ClientSetupFault},
    output::OutputPrinter,
    profile::Connection,
};
use crate::command::CommandExit;

/// A command over the admin API.
pub trait ApiCommand {
    /// Calls the API and shows the answer.
    fn execute<W: Write>(
        &self,
        client: &AdminClient,
        shown: &mut OutputPrinter<'_, W>,
        err: &mut impl Write,
    ) -> impl Future<Output = Result<CommandExit, ApiFault>>;

    /// Who calls the API: an operator, unless the command needs none.
    fn client(connection: &Connection) -> Result<AdminClient, ClientSetupFault> {
        AdminClient::new(connection)
    }
}

/// A command with the options of its connection; a group of commands has them on each subcommand.
#[derive(Debug, Clone)]
pub struct WithConnection<C> {
    command: C,
    connection: Connection,
}

impl<C: ApiCommand> WithConnection<C> {
    /// Runs the command; says what went wrong, and which command helps.
    ///
    /// # Errors
    /// An output cannot be written to.
    pub fn run(&self, out: &mut impl Write, err: &mut impl Write) -> io::Result<CommandExit> {
        let client = match C::client(&self.connection) {
            Ok(client) => client,
            Err(fault) => {
                writeln!(err, "error: {fault}")?;
                return Ok(fault.exit());
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut shown = OutputPrinter {
            output: self.connection.output,
            out,
        };
        match runtime.block_on(self.command.execute(&client, &mut shown, err)) {
            Ok(exit) => Ok(exit),
            Err(ApiFault::Output(fault)) => Err(fault),
            Err(fault) => {
                writeln!(err, "error: {fault}")?;
                if let Some(next) = fault.next() {
                    writeln!(err, "next: {next}")?;
                }
                Ok(fault.exit())
            }
        }
    }
}

/// Adds the options and keeps what the command says of itself.
fn add_connection(command: Command) -> Command {
    let about = command.get_about().cloned();
    let long_about = command.get_long_about().cloned();
    Connection::augment_args(command)
        .about(Resettable::from(about))
        .long_about(Resettable::from(long_about))
}

impl<C: FromArgMatches> FromArgMatches for WithConnection<C> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let options = matches.subcommand().map_or(matches, |(_, options)| options);
        Ok(Self {
            command: C::from_arg_matches(matches)?,
            connection: Connection::from_arg_matches(options)?,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<C: Args> Args for WithConnection<C> {
    fn augment_args(command: Command) -> Command {
        add_connection(C::augment_args(command))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<C: Subcommand> Subcommand for WithConnection<C> {
    /// `command` may have other subcommands already.
    fn augment_subcommands(command: Command) -> Command {
        C::augment_subcommands(command).mut_subcommands(|subcommand| {
            match C::has_subcommand(subcommand.get_name()) {
                true => add_connection(subcommand),
                false => subcommand,
            }
        })
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        C::has_subcommand(name)
    }
}
