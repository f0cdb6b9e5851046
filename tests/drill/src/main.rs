//! `./dev drill NAME`: a cluster under faults, and what must hold then.
//!
//! Exit status: 0 everything held, 1 something did not, 2 usage error, 3 the harness itself failed, 130 interrupted.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it prints what it has shown"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use akgate_drill::{
    Result, attack, barrier, cluster::Notified, fault::Kind, faults, nemesis, oracle,
    summary::Summary,
};
use clap::{Args, Parser, Subcommand};

/// Runs a drill on a cluster of akgate nodes.
#[derive(Debug, Parser)]
#[command(name = "akgate-drill")]
struct Cli {
    #[command(subcommand)]
    drill: Drill,
}

#[derive(Debug, Subcommand)]
enum Drill {
    /// Calls sent after a receipt never pass, whatever fails meanwhile
    Nemesis(NemesisArgs),
    /// How long a report waits for the nodes, all well and one stopped
    Barrier(BarrierArgs),
    /// Each promise about failing databases and nodes as a scene with its figure
    Faults(FaultsArgs),
    /// What strangers hold open holds up nobody else, with its figures
    Attack(AttackArgs),
    /// Decisions compared with an oracle that knows the documents alone
    Oracle(OracleArgs),
    /// Answers the oracle's cases, from standard input
    #[command(hide = true)]
    Answer,
}

#[derive(Debug, Args)]
struct Common {
    /// Nodes of the cluster: 5 by default, 3 for `faults`
    #[arg(long)]
    nodes: Option<usize>,
    /// The akgate to run; by default the one beside this program
    #[arg(long)]
    akgate: Option<PathBuf>,
    /// Where the results are written as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct NemesisArgs {
    #[command(flatten)]
    common: Common,
    /// Keys that are reported, each once
    #[arg(long, default_value_t = 10_000)]
    receipts: usize,
    /// Calls at each node after a receipt
    #[arg(long, default_value_t = 2)]
    calls_per_node: usize,
    /// Keys that are reported at a time
    #[arg(long, default_value_t = 64)]
    at_once: usize,
    /// Keys that are begun in a second at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// No further key is reported after so many minutes
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Where the random choices begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A folder where the nodes' logs are kept
    #[arg(long)]
    logs: Option<PathBuf>,
    /// No faults at all
    #[arg(long)]
    quiet: bool,
}

#[derive(Debug, Args)]
struct BarrierArgs {
    #[command(flatten)]
    common: Common,
    /// Reports in a second
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// How long each of the two measurements takes
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Every other node polls alone, 250 ms apart
    #[arg(long)]
    polling: bool,
}

#[derive(Debug, Args)]
struct FaultsArgs {
    #[command(flatten)]
    common: Common,
    /// Callers at a time
    #[arg(long, default_value_t = 12)]
    callers: usize,
    /// Nodes and imports that are killed, one at a time
    #[arg(long, default_value_t = 1000)]
    kills: usize,
    /// How often all nodes are restarted, one by one
    #[arg(long, default_value_t = 20)]
    restarts: usize,
    /// These scenes alone, in this order; all by default
    #[arg(long, value_enum, value_delimiter = ',')]
    scenes: Vec<faults::Scene>,
    /// No HAProxy in front of the nodes, and no rolling restarts
    #[arg(long)]
    without_balancer: bool,
    /// A folder where the nodes' logs are kept
    #[arg(long)]
    logs: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct AttackArgs {
    /// The akgate to run; by default the one beside this program
    #[arg(long)]
    akgate: Option<PathBuf>,
    /// Where the results are written as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Slow connections at each listener
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// These scenes alone, in this order; all by default
    #[arg(long, value_enum, value_delimiter = ',')]
    scenes: Vec<attack::Scene>,
}

#[derive(Debug, Args)]
struct OracleArgs {
    /// Decisions to compare
    #[arg(long, default_value_t = 1_000_000)]
    cases: usize,
    /// Where the random choices begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let ran = tokio::select! {
        ran = run(cli.drill) => ran,
        // What is running is dropped, and ends what it started.
        _ = tokio::signal::ctrl_c() => return ExitCode::from(130),
    };
    match ran {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("akgate-drill: {fault}");
            ExitCode::from(3)
        }
    }
}

async fn run(drill: Drill) -> Result<bool> {
    match drill {
        Drill::Nemesis(args) => {
            let faults = match args.quiet {
                true => Vec::new(),
                false => Kind::OF_NODES_AND_POSTGRES.to_vec(),
            };
            let summary = nemesis::run(&nemesis::Settings {
                akgate: akgate(args.common.akgate)?,
                nodes: args.common.nodes.unwrap_or(5),
                receipts: args.receipts,
                calls_per_node: args.calls_per_node,
                at_once: args.at_once,
                interval: Duration::from_secs(1) / args.rate,
                time: Duration::from_secs(args.minutes * 60),
                seed: args.seed,
                faults,
                failover_every: 12,
                failovers: if args.quiet { 0 } else { 100 },
                logs: args.logs,
            })
            .await?;
            println!("{summary}");
            write(args.common.json.as_deref(), &summary)?;
            Ok(summary.holds())
        }
        Drill::Faults(args) => {
            let mut settings = faults::Settings {
                akgate: akgate(args.common.akgate)?,
                nodes: args.common.nodes.unwrap_or(3),
                callers: args.callers,
                balancer: !args.without_balancer,
                scenes: Vec::new(),
                kills: args.kills,
                restarts: args.restarts,
                logs: args.logs,
            };
            let mut summary = Summary { rows: Vec::new() };
            let scenes = match args.scenes.as_slice() {
                [] => &faults::Scene::ALL[..],
                scenes => scenes,
            };
            let needs_balancer = |scene: &&faults::Scene| **scene == faults::Scene::Restarts;
            for scene in scenes {
                if args.without_balancer && needs_balancer(&scene) {
                    continue;
                }
                eprintln!("{scene:?}");
                settings.scenes = vec![*scene];
                summary.rows.extend(faults::run(&settings).await?.rows);
            }
            print!("{summary}");
            write(args.common.json.as_deref(), &summary)?;
            Ok(summary.holds())
        }
        Drill::Attack(args) => {
            let summary = attack::run(&attack::Settings {
                akgate: akgate(args.akgate)?,
                connections: args.connections,
                scenes: match args.scenes.as_slice() {
                    [] => attack::Scene::ALL.to_vec(),
                    scenes => scenes.to_vec(),
                },
            })
            .await?;
            print!("{summary}");
            write(args.json.as_deref(), &summary)?;
            Ok(summary.holds())
        }
        Drill::Oracle(args) => oracle::compare(&std::env::current_exe()?, args.cases, args.seed),
        Drill::Answer => {
            oracle::answer_cases(std::io::stdin().lock(), std::io::stdout().lock())?;
            Ok(true)
        }
        Drill::Barrier(args) => {
            let summary = barrier::run(&barrier::Settings {
                akgate: akgate(args.common.akgate)?,
                nodes: args.common.nodes.unwrap_or(5),
                notified: match args.polling {
                    true => Notified::EveryOther,
                    false => Notified::All,
                },
                rate: args.rate,
                time: Duration::from_secs(args.seconds),
            })
            .await?;
            print!("{summary}");
            write(args.common.json.as_deref(), &summary)?;
            Ok(true)
        }
    }
}

fn akgate(named: Option<PathBuf>) -> Result<PathBuf> {
    let path = match named {
        Some(path) => path,
        None => std::env::current_exe()?.with_file_name("akgate"),
    };
    let found = path.canonicalize();
    Ok(found.map_err(|fault| format!("{}: {fault}", path.display()))?)
}

fn write(path: Option<&Path>, summary: &impl serde::Serialize) -> Result<()> {
    if let Some(path) = path {
        fs::write(path, serde_json::to_string_pretty(summary)? + "\n")?;
    }
    Ok(())
}
