//! What restricting some keys would refuse, computed before anything is written.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
};

use akgate_state::database::Pool;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use time::Duration;

use crate::{command::node::NodeFault, config::Config};
use akgate_rules::{
    operation::{Blocklist, Catalogue},
    verdict::profile_refuses,
};
use akgate_state::{
    calls::impact::list_usage_since,
    clock::{Clock, SystemClock},
    leaks::record::WouldRestrict,
};

/// The period of calls that is examined.
const LOOK_BACK: Duration = Duration::days(7);

/// Maximum number of rows in the table.
const MAX_SHOWN_KEYS: usize = 20;

/// The keys that would be restricted, those with the most refused calls first.
#[derive(Serialize)]
pub(super) struct Impact {
    accounts: usize,
    keys: Vec<AffectedKey>,
}

/// One AccessKey.
#[derive(Serialize)]
struct AffectedKey {
    access_key_id: String,
    account_id: Option<String>,
    user_name: Option<String>,
    /// Calls of the last 7 days, its sessions' included.
    calls: i64,
    /// How many of these calls would have been refused.
    would_be_refused: i64,
}

/// Examines the calls of the last 7 days.
pub(super) async fn measure_impact(
    pool: &Pool,
    would_restrict: &BTreeSet<WouldRestrict>,
    config: &Config,
) -> Result<Impact, NodeFault> {
    let effects = config
        .sections
        .upstreams
        .other_effects()
        .unwrap_or_default();
    let catalogue = Catalogue::built_in()?.with_effects(effects);
    let strict = Blocklist::strict()?;
    let ids: Vec<&str> = would_restrict
        .iter()
        .map(|one| one.access_key_id.as_str())
        .collect();
    let asked = list_usage_since(pool, &ids, SystemClock.now() - LOOK_BACK).await?;
    let mut counts: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for one in asked {
        let profile = one
            .profile
            .and_then(|name| name.parse().ok())
            .unwrap_or(config.sections.policy.profile);
        let operation = catalogue.named(&one.product, &one.version, &one.action);
        // What cannot even be named is refused.
        let refused = operation.map_or(true, |operation| {
            profile_refuses(&strict, &operation, profile, false)
        });
        let (calls, would_be_refused) = counts.entry(one.access_key_id).or_default();
        *calls += one.calls;
        *would_be_refused += if refused { one.calls } else { 0 };
    }
    let accounts: BTreeSet<&str> = would_restrict
        .iter()
        .filter_map(|one| one.account_id.as_deref())
        .collect();
    let mut keys: Vec<AffectedKey> = would_restrict
        .iter()
        .map(|one| {
            let (calls, would_be_refused) =
                counts.get(&one.access_key_id).copied().unwrap_or_default();
            AffectedKey {
                access_key_id: one.access_key_id.clone(),
                account_id: one.account_id.clone(),
                user_name: one.user_name.clone(),
                calls,
                would_be_refused,
            }
        })
        .collect();
    keys.sort_by_key(|key| (-key.would_be_refused, -key.calls));
    Ok(Impact {
        accounts: accounts.len(),
        keys,
    })
}

impl Impact {
    pub fn tell(&self, out: &mut impl Write) -> std::io::Result<()> {
        let (keys, accounts) = (self.keys.len(), self.accounts);
        writeln!(
            out,
            "{keys} AccessKeys of {accounts} accounts would be restricted."
        )?;
        if self.keys.is_empty() {
            return Ok(());
        }
        let refused: i64 = self.keys.iter().map(|key| key.would_be_refused).sum();
        let calls: i64 = self.keys.iter().map(|key| key.calls).sum();
        writeln!(
            out,
            "Of their {calls} calls in the last 7 days, {refused} would have been refused."
        )?;
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_header([
            "AccessKey",
            "account",
            "user",
            "calls",
            "refused",
        ]);
        for key in self.keys.iter().take(MAX_SHOWN_KEYS) {
            table.add_row([
                key.access_key_id.clone(),
                key.account_id.clone().unwrap_or_else(|| "-".into()),
                key.user_name.clone().unwrap_or_else(|| "-".into()),
                key.calls.to_string(),
                key.would_be_refused.to_string(),
            ]);
        }
        for column in [3, 4] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        writeln!(out, "{table}")?;
        if self.keys.len() > MAX_SHOWN_KEYS {
            let more = self.keys.len() - MAX_SHOWN_KEYS;
            writeln!(out, "… and {more} more: use --json to list all")?;
        }
        Ok(())
    }
}
