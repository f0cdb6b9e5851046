//! `akgate config`: checking a configuration, and a file to start from.

use std::io::{self, Write};

use clap::Subcommand;
use comfy_table::{Table, presets};

use super::{CommandExit, settings::ConfigArgs};
use crate::config::{Config, ProcessRole, SharedOperation, render_template};

/// Check a configuration, or print a template
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration: show the settings, or the first error
    Check {
        /// Configuration
        #[command(flatten)]
        settings: ConfigArgs,
        /// Check for a process with these roles; all by default
        #[arg(long, value_enum, value_delimiter = ',')]
        roles: Vec<ProcessRole>,
    },
    /// Print a template with every setting, explained and commented out
    Template,
}

/// Checks, or prints the template.
///
/// # Errors
/// An output cannot be written to.
pub fn run_config(
    command: &ConfigCommand,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    let (settings, roles) = match command {
        ConfigCommand::Template => {
            write!(out, "{}", render_template())?;
            return Ok(CommandExit::Ok);
        }
        ConfigCommand::Check { settings, roles } if roles.is_empty() => {
            (settings, &ProcessRole::DEFAULT[..])
        }
        ConfigCommand::Check { settings, roles } => (settings, roles.as_slice()),
    };
    match settings.load(roles) {
        Ok(config) => {
            writeln!(out, "{}", config_table(&config))?;
            if config.has(ProcessRole::Gateway) {
                write_shared_operations(&config, out)?;
            }
            writeln!(out, "The configuration is valid.")?;
            Ok(CommandExit::Ok)
        }
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            Ok(CommandExit::Usage)
        }
    }
}

/// Names the operations that two products have: only a call that signs a known host reaches one of them.
fn write_shared_operations(config: &Config, out: &mut impl Write) -> io::Result<()> {
    let shared = SharedOperation::find_all(&config.sections.upstreams.other);
    shared.iter().try_for_each(|pair| {
        writeln!(
            out,
            "warning: {pair}: only ACS3 calls that sign a host of `hosts` reach one of them; RPC calls are refused"
        )
    })
}

/// What was understood, without the secrets.
fn config_table(config: &Config) -> Table {
    let sections = &config.sections;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    let roles: Vec<String> = config
        .roles
        .iter()
        .filter_map(clap::ValueEnum::to_possible_value)
        .map(|value| value.get_name().to_owned())
        .collect();
    row("roles", roles.join(", "));
    row("database", "(set)".to_owned());
    row("key ring", "(set)".to_owned());
    if config.has(ProcessRole::Gateway) {
        row(
            "gateway",
            url_scheme(sections.gateway.tls_cert.is_some(), sections.gateway.listen),
        );
        let upstreams = &sections.upstreams;
        for (name, view) in [
            ("RAM", upstreams.ram.view()),
            ("IMS", upstreams.ims.view()),
            ("STS", upstreams.sts.view()),
            ("ResourceManager", upstreams.resourcemanager.view()),
        ] {
            if let Some(url) = view.url {
                row(
                    &format!("  {name}"),
                    format!("{url} ({:?})", view.credentials).to_lowercase(),
                );
            }
        }
        for other in &upstreams.other {
            let count = other.actions.len();
            row(
                &format!("  {}", other.product),
                format!("{} ({count} actions)", other.url),
            );
        }
        row(
            "policy",
            format!("{}, {}", sections.policy.mode, sections.policy.profile),
        );
    }
    if config.has(ProcessRole::Public) {
        let url = sections.public.url.as_deref().unwrap_or_default();
        let listen = url_scheme(sections.public.tls_cert.is_some(), sections.public.listen);
        row("public", format!("{listen}, public URL {url}"));
    }
    if config.has(ProcessRole::Admin) {
        row(
            "admin",
            url_scheme(sections.admin.tls_cert.is_some(), sections.admin.listen),
        );
    }
    if config.has(ProcessRole::Worker) {
        let mail = &sections.mail;
        let to = match (&mail.folder, &mail.host) {
            (Some(folder), None) => folder.display().to_string(),
            (_, Some(host)) => {
                format!("{host}:{} ({:?})", mail.port, mail.encryption).to_lowercase()
            }
            (None, None) => String::new(),
        };
        row("letters", to);
    }
    row("telemetry", url_scheme(false, sections.telemetry.listen));
    table
}

fn url_scheme(tls: bool, address: std::net::SocketAddr) -> String {
    let scheme = if tls { "https" } else { "http" };
    format!("{scheme}://{address}")
}
