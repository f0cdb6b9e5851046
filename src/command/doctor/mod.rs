//! `akgate doctor`: checks everything that a node depends on, and says what to do. It changes nothing.

mod around;
mod finding;
mod server;
mod state;

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};

use self::finding::{CheckFinding, FindingLevel};
use super::{CommandExit, api::OutputFormat, node::run_on_node, settings::ConfigArgs};
use crate::config::{Config, ProcessRole};

/// Check everything that a node depends on, and print what to do; changes nothing
///
/// Configuration, key ring, database, migrations, durability, connections, clock, mail server, upstreams, policy, operators, letters and outcomes.
/// Exit status: 0 if all is well, 3 if something needs attention, 1 if something is wrong.
#[derive(Debug, Clone, clap::Args)]
pub struct DoctorArgs {
    /// Check for a process with these roles; all by default
    #[arg(long, value_enum, value_delimiter = ',')]
    roles: Vec<ProcessRole>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = OutputFormat::Table)]
    output: OutputFormat,
    /// Configuration
    #[command(flatten)]
    settings: ConfigArgs,
}

/// Looks, and prints what was found.
///
/// # Errors
/// An output cannot be written to.
pub fn run_doctor(
    args: &DoctorArgs,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    let roles = match args.roles.as_slice() {
        [] => &ProcessRole::DEFAULT[..],
        roles => roles,
    };
    let exit = run_on_node(&args.settings, roles, err, async |config, _| {
        let findings = check_all(config).await;
        print_findings(&findings, args.output, out)?;
        Ok(match findings.iter().map(|finding| finding.is).max() {
            None | Some(FindingLevel::Good) => CommandExit::Ok,
            Some(FindingLevel::Care) => CommandExit::Partial,
            Some(FindingLevel::Wrong) => CommandExit::Failed,
        })
    })?;
    if exit == CommandExit::Usage {
        writeln!(err, "next: akgate config template prints a template")?;
    }
    Ok(exit)
}

async fn check_all(config: &Config) -> Vec<CheckFinding> {
    let mut findings = vec![CheckFinding::good("configuration", "understood")];
    let ring = state::check_key_ring(config, &mut findings);
    state::check_database(config, ring.as_ref(), &mut findings).await;
    around::check_surroundings(config, &mut findings).await;
    findings
}

fn print_findings(
    findings: &[CheckFinding],
    output: OutputFormat,
    out: &mut impl Write,
) -> io::Result<()> {
    match output {
        OutputFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, findings)?;
            writeln!(out)
        }
        OutputFormat::Yaml => {
            let text = serde_saphyr::to_string(&findings).map_err(io::Error::other)?;
            writeln!(out, "{}", text.trim_end())
        }
        OutputFormat::Table => {
            let mut table = Table::new();
            table
                .load_style(presets::NOTHING)
                .set_content_arrangement(ContentArrangement::Dynamic);
            for finding in findings {
                let is = match finding.is {
                    FindingLevel::Good => "ok",
                    FindingLevel::Care => "CARE",
                    FindingLevel::Wrong => "WRONG",
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
