//! `akgate keys list`.

use std::io::Write;

use comfy_table::{Table, presets};

use super::{Exit, KeysError, status};
use crate::{
    access_key::AccessKeyId,
    config::Config,
    directory::{
        KeyStatus,
        listing::{self, Listed, Wanted},
    },
    serve::open_database,
};

/// Which AccessKeys are listed.
#[derive(Debug, Clone, clap::Args)]
pub struct Filter {
    /// Of this account
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Of this RAM user
    #[arg(long, value_name = "NAME", requires = "account")]
    user: Option<String>,
    /// Active, Inactive or Deleted
    #[arg(long, value_parser = status)]
    status: Option<KeyStatus>,
    /// Restricted ones alone
    #[arg(long)]
    restricted: bool,
    /// After this one: where the last list ended
    #[arg(long, value_name = "ID", value_parser = AccessKeyId::parse)]
    after: Option<AccessKeyId>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

pub(super) async fn run(
    config: &Config,
    filter: &Filter,
    json: bool,
    out: &mut impl Write,
) -> Result<Exit, KeysError> {
    let pool = open_database(config).await?;
    let wanted = Wanted {
        account_id: filter.account.as_deref(),
        user_name: filter.user.as_deref(),
        status: filter.status,
        restricted: filter.restricted,
        after: filter.after.as_ref().map_or("", AccessKeyId::as_str),
        limit: i64::from(filter.limit) + 1,
    };
    let mut keys = listing::list(&pool, &wanted).await?;
    pool.close().await;
    let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let more = keys.len() > limit;
    keys.truncate(limit);
    if json {
        for key in &keys {
            serde_json::to_writer(&mut *out, key).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        return Ok(Exit::Ok);
    }
    if keys.is_empty() {
        writeln!(out, "No AccessKey is like that.")?;
        return Ok(Exit::Ok);
    }
    writeln!(out, "{}", table(&keys))?;
    if let Some(last) = keys.last().filter(|_| more) {
        writeln!(out, "There are more: --after {}", last.access_key_id)?;
    }
    Ok(Exit::Ok)
}

fn table(keys: &[Listed]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header([
        "AccessKey",
        "account",
        "user",
        "status",
        "restriction",
    ]);
    for key in keys {
        table.add_row([
            key.access_key_id.as_str(),
            &key.account_id,
            key.user_name.as_deref().unwrap_or("(the account itself)"),
            &key.status,
            key.restriction.as_deref().unwrap_or("-"),
        ]);
    }
    table
}
