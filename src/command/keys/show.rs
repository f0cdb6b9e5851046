//! `akgate keys show`.

use std::io::Write;

use comfy_table::{Table, presets};
use time::OffsetDateTime;

use super::{Exit, KeysError};
use crate::{
    access_key::AccessKeyId,
    clock::utc_minute,
    config::Config,
    directory::listing::{self, Shown},
    serve::open_database,
};

pub(super) async fn run(
    config: &Config,
    access_key_id: &AccessKeyId,
    json: bool,
    out: &mut impl Write,
) -> Result<Exit, KeysError> {
    let pool = open_database(config).await?;
    let shown = listing::show(&pool, access_key_id).await?;
    pool.close().await;
    let shown = shown.ok_or_else(|| KeysError::NotFound(access_key_id.as_str().to_owned()))?;
    if json {
        serde_json::to_writer_pretty(&mut *out, &shown).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        writeln!(out, "{}", table(&shown))?;
    }
    Ok(Exit::Ok)
}

fn table(shown: &Shown) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    row("AccessKey", shown.access_key_id.clone());
    row("account", shown.account_id.clone());
    let user = shown.user_name.clone();
    row(
        "user",
        user.unwrap_or_else(|| "(the account itself)".to_owned()),
    );
    row("status", shown.status.clone());
    row("known since", minute(shown.created_at));
    let made_by = shown.made_by_access_key_id.clone();
    row(
        "made by",
        made_by.unwrap_or_else(|| "(not known)".to_owned()),
    );
    row("sealed by", format!("seal key {}", shown.seal_key_id));
    row("owners", shown.contacts.join(", "));
    for restriction in &shown.restrictions {
        let text = format!(
            "{} since {} ({})",
            restriction.state,
            minute(restriction.imposed_at),
            restriction.restriction_id
        );
        row("restriction", text);
    }
    if shown.restrictions.is_empty() {
        row("restriction", "none".to_owned());
    }
    row("live sessions", shown.sessions.to_string());
    row("keys that it made", shown.made.to_string());
    table
}

fn minute(at: OffsetDateTime) -> String {
    format!("{} UTC", utc_minute(at))
}
