//! TruffleHog 2, JSON lines: `stringsFound` and the diff that they stand in.

use serde_json::Value;

use super::{
    fields::{all_texts, first_text, member, text},
    finding::{EntryFindings, Finding},
};
use akgate_rules::leak::LeakPlace;
use akgate_scan::instant::parse_instant;

/// The strings that one rule has found in one change.
pub(super) fn findings(value: &Value) -> EntryFindings {
    let mut matches = Vec::new();
    let found = member(value, "stringsFound").ok_or("missing field `stringsFound`")?;
    all_texts(found, &mut matches);
    let place = LeakPlace::new(
        first_text(value, &["url", "repo"]).as_deref(),
        first_text(value, &["commitHash", "commit_hash"]).as_deref(),
        text(value, "path").as_deref(),
    );
    Ok(vec![Finding {
        rule: text(value, "reason").unwrap_or_default(),
        matches,
        context: text(value, "diff")
            .or_else(|| text(value, "printDiff"))
            .into_iter()
            .collect(),
        place,
        first_seen: text(value, "date").as_deref().and_then(parse_instant),
    }])
}
