//! trufflehog3 (of PyPI), JSON: the secret and the lines around it.

use serde_json::Value;

use super::{
    fields::{all_texts, member, text, texts},
    finding::{EntryFindings, Finding},
};
use akgate_rules::leak::LeakPlace;
use akgate_scan::instant::parse_instant;

/// A finding.
pub(super) fn findings(value: &Value) -> EntryFindings {
    let secret = text(value, "secret").ok_or("missing field `secret`")?;
    let mut context = Vec::new();
    if let Some(lines) = member(value, "context") {
        all_texts(lines, &mut context);
    }
    Ok(vec![Finding {
        rule: texts(value, &["rule.id", "rule.message"]).join(" "),
        matches: vec![secret],
        context: vec![context.join("\n")],
        place: LeakPlace::new(
            None,
            text(value, "commit").as_deref(),
            text(value, "path").as_deref(),
        ),
        first_seen: text(value, "date").as_deref().and_then(parse_instant),
    }])
}
