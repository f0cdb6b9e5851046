//! Talisman, `report.json`: a file with its failures and warnings.

use serde_json::Value;

use super::{
    fields::{elements, text},
    finding::{EntryFindings, Finding},
};
use akgate_rules::leak::LeakPlace;

/// A file.
pub(super) fn findings(value: &Value) -> EntryFindings {
    let path = text(value, "filename").ok_or("missing field `filename`")?;
    let lists = ["failure_list", "warning_list", "ignore_list"];
    let found = lists
        .iter()
        .flat_map(|list| elements(value, list))
        .map(|one| Finding {
            rule: text(one, "type").unwrap_or_default(),
            matches: text(one, "message").into_iter().collect(),
            context: Vec::new(),
            place: LeakPlace::new(None, text(one, "commits.0").as_deref(), Some(&path)),
            first_seen: None,
        });
    Ok(found.collect())
}
