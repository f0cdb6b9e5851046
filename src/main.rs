//! The command line: one role per process, and the only place that exits.

use std::{io, process::ExitCode};

use akgate::{
    clock::{Clock, SystemClock},
    command::{
        Exit, classify, config, demo, keys, letters, operators, policy, reports, scan, serve,
        verify,
    },
};
use clap::{Parser, Subcommand};

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
    Classify(classify::Args),
    /// Run the whole product on this machine: a private PostgreSQL, a sandbox, two accounts and the story of two leaked keys
    Demo(akgate::demo::Args),
    #[command(subcommand)]
    Config(config::Command),
    #[command(subcommand)]
    Keys(keys::Command),
    #[command(subcommand)]
    Letters(letters::Command),
    #[command(subcommand)]
    Operators(operators::Command),
    #[command(subcommand)]
    Policy(policy::Command),
    #[command(subcommand)]
    Reports(reports::Command),
    Scan(scan::Args),
    Serve(serve::Args),
    Verify(verify::Args),
}

fn main() -> ExitCode {
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let ended = match Cli::parse().command {
        Command::Classify(args) => classify::run(&args, &mut out, &mut err),
        Command::Demo(args) => demo::run(&args, &mut err),
        Command::Config(command) => config::run(&command, &mut out, &mut err),
        Command::Keys(command) => keys::run(&command, &mut out, &mut err),
        Command::Letters(command) => letters::run(&command, &mut out, &mut err),
        Command::Operators(command) => operators::run(&command, &mut out, &mut err),
        Command::Policy(command) => policy::run(&command, &mut out, &mut err),
        Command::Reports(command) => reports::run(&command, &mut out, &mut err),
        Command::Scan(args) => scan::run(&args, &mut out, &mut err),
        Command::Serve(args) => serve::run(&args, &mut err),
        Command::Verify(args) => verify::run(&args, SystemClock.now(), &mut out, &mut err),
    };
    // Output that nobody reads any more (a closed pipe) is no verdict.
    ExitCode::from(ended.unwrap_or(Exit::Failed) as u8)
}
