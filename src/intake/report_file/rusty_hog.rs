//! Rusty Hog, JSON: findings in git, files, S3, Confluence, Jira, Google documents and Slack.

use serde_json::Value;

use super::{
    fields::{all_texts, first_text, member, text, texts},
    finding::{EntryFindings, Finding},
};
use akgate_rules::leak::LeakPlace;
use akgate_scan::instant::parse_instant;

/// The strings that one rule has found in one place.
pub(super) fn findings(value: &Value) -> EntryFindings {
    let found = ["strings_found", "stringsFound"]
        .iter()
        .find_map(|name| member(value, name))
        .ok_or("missing field `strings_found`")?;
    let mut matches = Vec::new();
    all_texts(found, &mut matches);
    let place = LeakPlace::new(
        first_text(value, &["url", "permalink", "web_link"]).as_deref(),
        first_text(value, &["commitHash", "commit_hash"]).as_deref(),
        first_text(value, &["path", "key", "issue_id", "page_id", "location"]).as_deref(),
    );
    Ok(vec![Finding {
        rule: text(value, "reason").unwrap_or_default(),
        matches,
        context: texts(value, &["diff", "text"]),
        place,
        first_seen: first_text(value, &["date", "ts"])
            .as_deref()
            .and_then(parse_instant),
    }])
}
