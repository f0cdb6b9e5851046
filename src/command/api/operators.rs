//! `akgate operators list`, `me`, `token`, `revoke`, `revoke-token`: operators and their tokens.

use std::io::Write;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answers::{ask_confirmation, fetch_pages, list_member, rfc3339},
    client::{AdminClient, ApiFault, path_segment},
    command::ApiCommand,
    format::OutputFormat,
    output::{Column, OutputPrinter},
};
use crate::command::CommandExit;
use akgate_api::operators::{MOST_TOKEN_DAYS, NewTokenReceipt, Role, TOKEN_DAYS};

/// Manage operators and their tokens
#[derive(Debug, Clone, Subcommand)]
pub enum OperatorsApiCommand {
    /// List operators, with their tokens and the last use of each
    List {
        /// Maximum number of rows
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
    },
    /// Show your name, your role, and when your token expires
    Me,
    /// Create another token for an operator and print it once
    Token {
        /// The operator
        name: String,
        /// The most that the token allows
        #[arg(long)]
        role: Role,
        /// How many days it is valid
        #[arg(long, value_name = "DAYS", default_value_t = TOKEN_DAYS,
            value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_TOKEN_DAYS)))]
        token_days: u16,
    },
    /// Revoke an operator, with all tokens
    Revoke {
        /// The operator
        name: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Revoke a token; an admin can revoke any token, other operators their own
    RevokeToken {
        /// The token id: what follows akg_, up to the next _
        token_id: String,
    },
}

const COLUMNS: &[Column] = &[
    ("operator", "name"),
    ("role", "role"),
    ("revoked", "revoked_at"),
    ("token", "token_id"),
    ("token role", "token_role"),
    ("expires", "expires_at"),
    ("ended", "token_revoked_at"),
    ("last used", "last_used_at"),
    ("last address", "last_used_from"),
];

const ROWS: &[Column] = &[("operator", "name"), ("role", "role"), ("token", "token")];

impl ApiCommand for OperatorsApiCommand {
    async fn execute<W: Write>(
        &self,
        client: &AdminClient,
        shown: &mut OutputPrinter<'_, W>,
        err: &mut impl Write,
    ) -> Result<CommandExit, ApiFault> {
        match self {
            Self::List { limit } => {
                let (found, more) = fetch_pages(
                    client,
                    "operators",
                    Vec::new(),
                    "operators",
                    (*limit).into(),
                )
                .await?;
                let lines = match shown.output {
                    OutputFormat::Table => found.iter().flat_map(token_rows).collect(),
                    OutputFormat::Json | OutputFormat::Yaml => found,
                };
                let more = more.then(|| format!("--limit {}", u32::from(*limit) * 2));
                shown.list(&lines, COLUMNS, "No operators.", more.as_deref())?;
            }
            Self::Me => shown.one(&client.get("me", &[]).await?, ROWS)?,
            Self::Token {
                name,
                role,
                token_days,
            } => {
                let body = json!({ "role": role, "token_days": token_days });
                let made = client
                    .post(&format!("operators/{}/tokens", path_segment(name)), &body)
                    .await?;
                let made = NewTokenReceipt::deserialize(made)?;
                let until = rfc3339(made.expires_at);
                writeln!(
                    err,
                    "Token for {name} as {role}, valid until {until}. It is shown only once:"
                )?;
                writeln!(shown.out, "{}", made.token.unwrap_or_default())?;
            }
            Self::Revoke { name, yes } => {
                if !ask_confirmation(&format!("Revoke {name} and all their tokens?"), *yes, err)? {
                    return Ok(CommandExit::Usage);
                }
                client
                    .post(
                        &format!("operators/{}:revoke", path_segment(name)),
                        &json!({}),
                    )
                    .await?;
                writeln!(err, "{name} is revoked.")?;
            }
            Self::RevokeToken { token_id } => {
                client
                    .post(
                        &format!("tokens/{}:revoke", path_segment(token_id)),
                        &json!({}),
                    )
                    .await?;
                writeln!(err, "The token {token_id} is revoked.")?;
            }
        }
        Ok(CommandExit::Ok)
    }
}

/// One row per token of an operator, with the operator in the first row; one row if there is no token.
fn token_rows(operator: &Value) -> Vec<Value> {
    let member = |value: &Value, name| value.get(name).cloned().unwrap_or_default();
    let line = |(n, token)| {
        let of_operator = |name| match n {
            0 => member(operator, name),
            _ => Value::from(""),
        };
        json!({
            "name": of_operator("name"),
            "role": of_operator("role"),
            "revoked_at": of_operator("revoked_at"),
            "token_id": member(token, "token_id"),
            "token_role": member(token, "role"),
            "expires_at": member(token, "expires_at"),
            "token_revoked_at": member(token, "revoked_at"),
            "last_used_at": member(token, "last_used_at"),
            "last_used_from": member(token, "last_used_from"),
        })
    };
    match list_member(operator, "tokens") {
        [] => vec![line((0, &Value::Null))],
        tokens => tokens.iter().enumerate().map(line).collect(),
    }
}
