//! Semgrep, JSON.

use serde_json::Value;

use super::{
    fields::{member, text, texts},
    finding::{EntryFindings, Finding},
};
use akgate_rules::leak::LeakPlace;

/// A result.
pub(super) fn findings(value: &Value) -> EntryFindings {
    let rule = text(value, "check_id").ok_or("missing field `check_id`")?;
    let variables = member(value, "extra.metavars").and_then(Value::as_object);
    let variables = variables
        .into_iter()
        .flat_map(|variables| variables.values());
    let matches = texts(value, &["extra.lines"]).into_iter();
    Ok(vec![Finding {
        rule,
        matches: matches
            .chain(variables.flat_map(|one| texts(one, &["abstract_content"])))
            .collect(),
        context: texts(value, &["extra.message"]),
        place: LeakPlace::new(
            None,
            text(value, "extra.historical_info.git_commit").as_deref(),
            text(value, "path").as_deref(),
        ),
        first_seen: text(value, "extra.historical_info.git_commit_timestamp")
            .as_deref()
            .and_then(akgate_scan::instant::parse_instant),
    }])
}
