//! GitLab's secret detection report (`gl-secret-detection-report.json`).

use serde_json::Value;

use super::{
    fields::{elements, first_text, text, texts},
    finding::{EntryFindings, Finding},
};
use akgate_rules::leak::LeakPlace;
use akgate_scan::instant::parse_instant;

/// A vulnerability.
pub(super) fn findings(value: &Value) -> EntryFindings {
    let identifiers = elements(value, "identifiers").iter();
    let names = identifiers.flat_map(|one| texts(one, &["name", "value"]));
    let rule: Vec<String> = texts(value, &["name", "message"])
        .into_iter()
        .chain(names)
        .collect();
    let place = LeakPlace::new(
        first_text(value, &["location.url", "links.0.url"]).as_deref(),
        text(value, "location.commit.sha").as_deref(),
        text(value, "location.file").as_deref(),
    );
    Ok(vec![Finding {
        rule: rule.join(" "),
        matches: texts(value, &["raw_source_code_extract"]),
        context: texts(value, &["evidence.summary"]),
        place,
        first_seen: first_text(value, &["location.commit.date", "discovered_at"])
            .as_deref()
            .and_then(parse_instant),
    }])
}
