//! `akgate config`: checking a configuration, and a file to start from.

use std::io::{self, Write};

use clap::Subcommand;
use comfy_table::{Table, presets};

use super::{Exit, settings::Settings};
use crate::config::{Config, Role, template};

/// Check a configuration, or print a template
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Check the configuration: show the settings, or the first error
    Check {
        /// Configuration
        #[command(flatten)]
        settings: Settings,
        /// Check for a process with these roles; all by default
        #[arg(long, value_enum, value_delimiter = ',')]
        roles: Vec<Role>,
    },
    /// Print a template with every setting, explained and commented out
    Template,
}

/// Checks, or prints the template.
///
/// # Errors
/// That of the outputs.
pub fn run(command: &Command, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let (settings, roles) = match command {
        Command::Template => {
            write!(out, "{}", template())?;
            return Ok(Exit::Ok);
        }
        Command::Check { settings, roles } if roles.is_empty() => (settings, &Role::DEFAULT[..]),
        Command::Check { settings, roles } => (settings, roles.as_slice()),
    };
    match settings.load(roles) {
        Ok(config) => {
            writeln!(out, "{}", shown(&config))?;
            writeln!(out, "The configuration is valid.")?;
            Ok(Exit::Ok)
        }
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            Ok(Exit::Usage)
        }
    }
}

/// What was understood, without the secrets.
fn shown(config: &Config) -> Table {
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
    if config.has(Role::Gateway) {
        row(
            "gateway",
            scheme(sections.gateway.tls_cert.is_some(), sections.gateway.listen),
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
    if config.has(Role::Public) {
        let url = sections.public.url.as_deref().unwrap_or_default();
        let listen = scheme(sections.public.tls_cert.is_some(), sections.public.listen);
        row("public", format!("{listen}, public URL {url}"));
    }
    if config.has(Role::Admin) {
        row(
            "admin",
            scheme(sections.admin.tls_cert.is_some(), sections.admin.listen),
        );
    }
    if config.has(Role::Worker) {
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
    row("telemetry", scheme(false, sections.telemetry.listen));
    table
}

fn scheme(tls: bool, address: std::net::SocketAddr) -> String {
    let scheme = if tls { "https" } else { "http" };
    format!("{scheme}://{address}")
}
