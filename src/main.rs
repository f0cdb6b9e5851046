//! The command line: one role per process, and the only place that exits.

use std::{io, path::PathBuf, process::ExitCode};

use akgate::command::{
    CommandExit,
    api::{self, WithConnection},
    classify, config, demo, doctor, keys, letters, operators, policy, reports, scan, serve, verify,
    visible_output::VisibleOutput,
};
use akgate_state::clock::{Clock, SystemClock};
use clap::{CommandFactory, Parser, Subcommand};

/// A call makes some hundred allocations; docs/PERFORMANCE.md measures what the allocator costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keeps a leaked AccessKey from creating or changing identities, credentials and permissions.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    #[command(subcommand)]
    Accounts(WithConnection<api::accounts::AccountsCommand>),
    #[command(subcommand)]
    Approvals(WithConnection<api::approvals::ApprovalsCommand>),
    Audit(WithConnection<api::audit::AuditArgs>),
    Classify(classify::ClassifyArgs),
    /// Print a shell completion script: akgate completions bash > /etc/bash_completion.d/akgate
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Run the whole product on this machine: a private PostgreSQL, a sandbox, two accounts, and an example with two
    /// leaked keys
    Demo(akgate::demo::DemoArgs),
    #[command(subcommand)]
    Config(config::ConfigCommand),
    Doctor(doctor::DoctorArgs),
    #[command(subcommand)]
    Events(WithConnection<api::events::EventsCommand>),
    #[command(subcommand)]
    Exceptions(WithConnection<api::exceptions::ExceptionsCommand>),
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    #[command(subcommand)]
    Letters(letters::LettersCommand),
    Login(WithConnection<api::login::LoginArgs>),
    /// Write the manual pages, one for each command
    Man {
        /// The target folder: /usr/local/share/man/man1
        folder: PathBuf,
    },
    #[command(subcommand)]
    Nodes(WithConnection<api::nodes::NodesCommand>),
    #[command(subcommand)]
    Operators(operators::OperatorsCommand),
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    #[command(subcommand)]
    Reports(reports::ReportsCommand),
    #[command(subcommand)]
    Restrictions(WithConnection<api::restrictions::RestrictionsCommand>),
    Scan(scan::ScanArgs),
    Serve(serve::ServeArgs),
    Verify(verify::VerifyArgs),
    Why(WithConnection<api::why::WhyArgs>),
}

fn main() -> ExitCode {
    let (mut out, mut err) = (
        VisibleOutput::new(io::stdout()),
        VisibleOutput::new(io::stderr()),
    );
    let ended = match Cli::parse().command {
        CliCommand::Accounts(command) => command.run(&mut out, &mut err),
        CliCommand::Audit(args) => args.run(&mut out, &mut err),
        CliCommand::Events(command) => command.run(&mut out, &mut err),
        CliCommand::Exceptions(command) => command.run(&mut out, &mut err),
        CliCommand::Approvals(command) => command.run(&mut out, &mut err),
        CliCommand::Classify(args) => classify::run_classify(&args, &mut out, &mut err),
        CliCommand::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "akgate", &mut out);
            Ok(CommandExit::Ok)
        }
        CliCommand::Demo(args) => demo::run_demo_command(&args, &mut err),
        CliCommand::Doctor(args) => doctor::run_doctor(&args, &mut out, &mut err),
        CliCommand::Config(command) => config::run_config(&command, &mut out, &mut err),
        CliCommand::Keys(command) => keys::run_keys(&command, &mut out, &mut err),
        CliCommand::Letters(command) => letters::run_letters(&command, &mut out, &mut err),
        CliCommand::Login(args) => args.run(&mut out, &mut err),
        CliCommand::Man { folder } => write_manual(&folder),
        CliCommand::Nodes(command) => command.run(&mut out, &mut err),
        CliCommand::Operators(command) => operators::run_operators(&command, &mut out, &mut err),
        CliCommand::Policy(command) => policy::run_policy(&command, &mut out, &mut err),
        CliCommand::Reports(command) => reports::run_reports(&command, &mut out, &mut err),
        CliCommand::Restrictions(command) => command.run(&mut out, &mut err),
        CliCommand::Scan(args) => scan::run_scan(&args, &mut out, &mut err),
        CliCommand::Serve(args) => serve::run_serve(&args, &mut err),
        CliCommand::Why(args) => args.run(&mut out, &mut err),
        CliCommand::Verify(args) => {
            verify::run_verify(&args, SystemClock.now(), &mut out, &mut err)
        }
    };
    // A closed pipe is not a failure of the command.
    ExitCode::from(ended.unwrap_or(CommandExit::Failed) as u8)
}

fn write_manual(folder: &std::path::Path) -> io::Result<CommandExit> {
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
    match written {
        Ok(()) => Ok(CommandExit::Ok),
        Err(fault) => {
            io::Write::write_fmt(
                &mut io::stderr(),
                format_args!("error: {}: {fault}\n", folder.display()),
            )?;
            Ok(CommandExit::Failed)
        }
    }
}
