//! What an operator does from a terminal: the admin API's client, its profiles, and how answers are shown.

pub mod approvals;
mod client;
pub mod operators;
mod profile;
pub mod restrictions;
mod shown;
pub mod why;

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use self::client::Client;
pub use self::{client::ApiFault, profile::Connection};
use super::Exit;

/// Runs a command against the API, and says what went wrong with the command that helps.
///
/// # Errors
/// That of the outputs.
fn run<E, F>(connection: &Connection, err: &mut E, command: F) -> io::Result<Exit>
where
    E: Write,
    F: AsyncFnOnce(&Client, &mut E) -> Result<Exit, ApiFault>,
{
    let client = match Client::new(connection) {
        Ok(client) => client,
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            return Ok(fault.exit());
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match runtime.block_on(command(&client, err)) {
        Ok(exit) => Ok(exit),
        Err(ApiFault::Output(fault)) => Err(fault),
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            if let Some(next) = fault.next() {
                writeln!(err, "next: {next}")?;
            }
            Ok(fault.exit())
        }
    }
}

/// Asks whether to go on; without a terminal, `--yes` has to have said so.
fn agreed(question: &str, yes: bool, err: &mut impl Write) -> io::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        writeln!(err, "error: {question} Nobody is asked here.")?;
        writeln!(err, "next: the same command with --yes")?;
        return Ok(false);
    }
    write!(err, "{question} [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

/// All pages of a list, at most `limit` things; says whether there are more.
async fn pages(
    client: &Client,
    path: &str,
    mut query: Vec<(&str, String)>,
    member: &str,
    limit: usize,
) -> Result<(Vec<Value>, bool), ApiFault> {
    let mut all = Vec::new();
    loop {
        let size = (limit - all.len()).min(500);
        let mut asked = query.clone();
        asked.push(("page_size", size.to_string()));
        let mut page = client.get(path, &asked).await?;
        let found = page.get_mut(member).map(Value::take);
        all.extend(
            found
                .and_then(|found| match found {
                    Value::Array(found) => Some(found),
                    _ => None,
                })
                .unwrap_or_default(),
        );
        match page.get("next_page_token").and_then(Value::as_str) {
            Some(_) if all.len() >= limit => return Ok((all, true)),
            Some(next) => {
                query.retain(|(name, _)| *name != "page_token");
                query.push(("page_token", next.to_owned()));
            }
            None => return Ok((all, false)),
        }
    }
}
