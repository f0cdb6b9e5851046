//! `akgate operators list`, `me`, `token`, `revoke`, `revoke-token`: who may do what.

use std::io::{self, Write};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    Connection, Exit, agreed,
    client::segment,
    member, pages, run as over_api,
    shown::{Column, Output},
};
use akgate_state::operators::{
    Role,
    store::{MOST_TOKEN_DAYS, TOKEN_DAYS},
};

/// Look at operators and their tokens, and change them
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// List operators, with their tokens and when each was last used
    List {
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// Show who you are, and until when your token lasts
    Me {
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// Make another token for an operator and print it, once
    Token {
        /// The operator
        name: String,
        /// What it may do at most
        #[arg(long)]
        role: Role,
        /// How long it lasts
        #[arg(long, value_name = "DAYS", default_value_t = TOKEN_DAYS,
            value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_TOKEN_DAYS)))]
        token_days: u16,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// End an operator, with all tokens
    Revoke {
        /// The operator
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// End a token: any as an admin, or the one that you ask with
    RevokeToken {
        /// What follows akg_, up to the next _
        token_id: String,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
}

const COLUMNS: &[Column] = &[
    ("operator", "name"),
    ("role", "role"),
    ("revoked", "revoked_at"),
    ("token", "token_id"),
    ("may", "token_role"),
    ("until", "expires_at"),
    ("ended", "token_revoked_at"),
    ("last used", "last_used_at"),
    ("from", "last_used_from"),
];

const ROWS: &[Column] = &[("operator", "name"), ("role", "role"), ("token", "token")];

impl Command {
    fn connection(&self) -> &Connection {
        match self {
            Self::List { connection, .. }
            | Self::Me { connection, .. }
            | Self::Token { connection, .. }
            | Self::Revoke { connection, .. }
            | Self::RevokeToken { connection, .. } => connection,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// That of the outputs.
pub fn run(command: &Command, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let connection = command.connection();
    over_api(connection, out, err, async |client, shown, err| {
        match command {
            Command::List { limit, .. } => {
                let (found, more) = pages(
                    client,
                    "operators",
                    Vec::new(),
                    "operators",
                    (*limit).into(),
                )
                .await?;
                let lines = match shown.output {
                    Output::Table => found.iter().flat_map(lines).collect(),
                    Output::Json | Output::Yaml => found,
                };
                let more = more.then(|| format!("--limit {}", u32::from(*limit) * 2));
                shown.list(&lines, COLUMNS, "There is no operator.", more.as_deref())?;
            }
            Command::Me { .. } => shown.one(&client.get("me", &[]).await?, ROWS)?,
            Command::Token {
                name,
                role,
                token_days,
                ..
            } => {
                let body = json!({ "role": role, "token_days": token_days });
                let made = client
                    .post(&format!("operators/{}/tokens", segment(name)), &body)
                    .await?;
                let of = |name| member(&made, name);
                writeln!(
                    err,
                    "A token of {name} as {role} until {}. It is shown once:",
                    of("expires_at")
                )?;
                writeln!(shown.out, "{}", of("token"))?;
            }
            Command::Revoke { name, yes, .. } => {
                if !agreed(&format!("End {name} and all their tokens?"), *yes, err)? {
                    return Ok(Exit::Usage);
                }
                client
                    .post(&format!("operators/{}:revoke", segment(name)), &json!({}))
                    .await?;
                writeln!(err, "{name} may do nothing any more.")?;
            }
            Command::RevokeToken { token_id, .. } => {
                client
                    .post(&format!("tokens/{}:revoke", segment(token_id)), &json!({}))
                    .await?;
                writeln!(err, "The token {token_id} is worth nothing any more.")?;
            }
        }
        Ok(Exit::Ok)
    })
}

/// A line for each token of an operator, the operator on the first; one line where there is none.
fn lines(operator: &Value) -> Vec<Value> {
    let none = Vec::new();
    let tokens = operator
        .get("tokens")
        .and_then(Value::as_array)
        .unwrap_or(&none);
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
    match tokens.as_slice() {
        [] => vec![line((0, &Value::Null))],
        tokens => tokens.iter().enumerate().map(line).collect(),
    }
}
