//! `akgate doctor`: looks at everything that a node stands on, and says what to do. It changes nothing.

mod around;
mod state;

use std::{
    fmt::Display,
    future::Future,
    io::{self, Write},
    time::Duration,
};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::{Exit, api::Output, settings::Settings};
use crate::config::{Config, Role};

/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Check everything that a node depends on, and print what to do; changes nothing
///
/// Configuration, key ring, database, migrations, clock, mail server, upstreams, policy, operators and letters.
/// Exit status: 0 if all is well, 3 if something needs attention, 1 if something is wrong.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Check for a process with these roles; all by default
    #[arg(long, value_enum, value_delimiter = ',')]
    roles: Vec<Role>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Configuration
    #[command(flatten)]
    settings: Settings,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    Good,
    Care,
    Wrong,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
struct Finding {
    /// What was looked at.
    what: String,
    /// How it is.
    is: Health,
    /// In words.
    found: String,
    /// What to do; `None` where it is good.
    next: Option<String>,
}

impl Finding {
    fn good(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            is: Health::Good,
            found: found.into(),
            next: None,
        }
    }

    fn care(what: impl Into<String>, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            is: Health::Care,
            next: Some(next.into()),
            ..Self::good(what, found)
        }
    }

    fn wrong(what: impl Into<String>, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            is: Health::Wrong,
            ..Self::care(what, found, next)
        }
    }
}

/// Looks, and prints what was found.
///
/// # Errors
/// That of the outputs.
pub fn run(args: &Args, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let roles = match args.roles.as_slice() {
        [] => &Role::DEFAULT[..],
        roles => roles,
    };
    let config = match args.settings.load_or_say(roles, err)? {
        Ok(config) => config,
        Err(exit) => {
            writeln!(err, "next: akgate config template prints a template")?;
            return Ok(exit);
        }
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let findings = runtime.block_on(look(&config));
    show(&findings, args.output, out)?;
    Ok(match findings.iter().map(|finding| finding.is).max() {
        None | Some(Health::Good) => Exit::Ok,
        Some(Health::Care) => Exit::Partial,
        Some(Health::Wrong) => Exit::Failed,
    })
}

async fn look(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::good("configuration", "understood")];
    let ring = state::key_ring(config, &mut findings);
    state::look(config, ring.as_ref(), &mut findings).await;
    around::look(config, &mut findings).await;
    findings
}

/// Looks for a while; what takes longer is as good as not there.
async fn in_time<T, E: Display>(look: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(looked) => looked.map_err(|fault| fault.to_string()),
        Err(_) => Err(format!("no answer in {} s", PATIENCE.as_secs())),
    }
}

fn show(findings: &[Finding], output: Output, out: &mut impl Write) -> io::Result<()> {
    match output {
        Output::Json => {
            serde_json::to_writer_pretty(&mut *out, findings)?;
            writeln!(out)
        }
        Output::Yaml => {
            let text = serde_saphyr::to_string(&findings).map_err(io::Error::other)?;
            writeln!(out, "{}", text.trim_end())
        }
        Output::Table => {
            let mut table = Table::new();
            table
                .load_style(presets::NOTHING)
                .set_content_arrangement(ContentArrangement::Dynamic);
            for finding in findings {
                let is = match finding.is {
                    Health::Good => "ok",
                    Health::Care => "CARE",
                    Health::Wrong => "WRONG",
                };
                table.add_row([is, &finding.what, &finding.found]);
            }
            writeln!(out, "{table}")?;
            let nexts = findings.iter().filter_map(|finding| {
                let next = finding.next.as_ref()?;
                Some((&finding.what, next))
            });
            for (what, next) in nexts {
                writeln!(out, "{what}: {next}")?;
            }
            Ok(())
        }
    }
}
