//! ggshield (GitGuardian), JSON, with `--show-secrets`.

use serde_json::Value;

use super::{
    fields::{elements, first_text, member, text, texts},
    finding::{EntryFindings, Finding},
};
use akgate_rules::leak::LeakPlace;
use akgate_scan::instant::parse_instant;

/// A file with its incidents, or a commit with its files.
pub(super) fn findings(value: &Value) -> EntryFindings {
    let mut found = Vec::new();
    collect(value, None, None, &mut found);
    Ok(found)
}

fn collect(value: &Value, commit: Option<&str>, date: Option<&str>, found: &mut Vec<Finding>) {
    let own_commit = text(value, "id").filter(|_| text(value, "type").as_deref() == Some("commit"));
    let own_date = text(value, "extra_info.date");
    let commit = own_commit.as_deref().or(commit);
    let date = own_date.as_deref().or(date);
    for incident in elements(value, "incidents") {
        let matches: Vec<String> = elements(incident, "occurrences")
            .iter()
            .flat_map(|one| texts(one, &["match"]))
            .collect();
        let url = first_text(incident, &["incident_url"]);
        found.push(Finding {
            rule: texts(incident, &["type", "detector"]).join(" "),
            matches,
            context: Vec::new(),
            place: LeakPlace::new(url.as_deref(), commit, text(value, "filename").as_deref()),
            first_seen: date.and_then(parse_instant),
        });
    }
    for inner in ["entities_with_incidents", "scans"] {
        if member(value, inner).is_some() {
            for one in elements(value, inner) {
                collect(one, commit, date, found);
            }
        }
    }
}
