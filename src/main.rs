//! The command line: one role per process, and the only place that exits.

use std::{io, path::PathBuf, process::ExitCode};

use akgate::command::{
    Exit, api, classify, config, demo, doctor, keys, letters, operators, policy, reports, scan,
    serve, verify,
};
use akgate_state::clock::{Clock, SystemClock};
use clap::{CommandFactory, Parser, Subcommand};

/// A call allocates some hundred times: what that costs is measured in docs/PERFORMANCE.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keeps a leaked AccessKey from creating or changing identities, credentials and permissions.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(subcommand)]
    Accounts(api::accounts::Command),
    #[command(subcommand)]
    Approvals(api::approvals::Command),
    Audit(api::audit::Args),
    Classify(classify::Args),
    /// Print a shell completion script: akgate completions bash > /etc/bash_completion.d/akgate
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Run the whole product on this machine: a private PostgreSQL, a sandbox, two accounts and a story of two leaked keys
    Demo(akgate::demo::Args),
    #[command(subcommand)]
    Config(config::Command),
    Doctor(doctor::Args),
    #[command(subcommand)]
    Events(api::events::Command),
    #[command(subcommand)]
    Exceptions(api::exceptions::Command),
    #[command(subcommand)]
    Keys(keys::Command),
    #[command(subcommand)]
    Letters(letters::Command),
    Login(api::login::Args),
    /// Write the manual pages, one for each command
    Man {
        /// The target folder: /usr/local/share/man/man1
        folder: PathBuf,
    },
    #[command(subcommand)]
    Nodes(api::nodes::Command),
    #[command(subcommand)]
    Operators(operators::Command),
    #[command(subcommand)]
    Policy(policy::Command),
    #[command(subcommand)]
    Reports(reports::Command),
    #[command(subcommand)]
    Restrictions(api::restrictions::Command),
    Scan(scan::Args),
    Serve(serve::Args),
    Verify(verify::Args),
    Why(api::why::Args),
}

fn main() -> ExitCode {
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let ended = match Cli::parse().command {
        Command::Accounts(command) => api::accounts::run(&command, &mut out, &mut err),
        Command::Audit(args) => api::audit::run(&args, &mut out, &mut err),
        Command::Events(command) => api::events::run(&command, &mut out, &mut err),
        Command::Exceptions(command) => api::exceptions::run(&command, &mut out, &mut err),
        Command::Approvals(command) => api::approvals::run(&command, &mut out, &mut err),
        Command::Classify(args) => classify::run(&args, &mut out, &mut err),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "akgate", &mut out);
            Ok(Exit::Ok)
        }
        Command::Demo(args) => demo::run(&args, &mut err),
        Command::Doctor(args) => doctor::run(&args, &mut out, &mut err),
        Command::Config(command) => config::run(&command, &mut out, &mut err),
        Command::Keys(command) => keys::run(&command, &mut out, &mut err),
        Command::Letters(command) => letters::run(&command, &mut out, &mut err),
        Command::Login(args) => api::login::run(&args, &mut out, &mut err),
        Command::Man { folder } => manual(&folder),
        Command::Nodes(command) => api::nodes::run(&command, &mut out, &mut err),
        Command::Operators(command) => operators::run(&command, &mut out, &mut err),
        Command::Policy(command) => policy::run(&command, &mut out, &mut err),
        Command::Reports(command) => reports::run(&command, &mut out, &mut err),
        Command::Restrictions(command) => api::restrictions::run(&command, &mut out, &mut err),
        Command::Scan(args) => scan::run(&args, &mut out, &mut err),
        Command::Serve(args) => serve::run(&args, &mut err),
        Command::Why(args) => api::why::run(&args, &mut out, &mut err),
        Command::Verify(args) => verify::run(&args, SystemClock.now(), &mut out, &mut err),
    };
    // Output that nobody reads any more (a closed pipe) is no verdict.
    ExitCode::from(ended.unwrap_or(Exit::Failed) as u8)
}

fn manual(folder: &std::path::Path) -> io::Result<Exit> {
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
    match written {
        Ok(()) => Ok(Exit::Ok),
        Err(fault) => {
            io::Write::write_fmt(
                &mut io::stderr(),
                format_args!("error: {}: {fault}\n", folder.display()),
            )?;
            Ok(Exit::Failed)
        }
    }
}
