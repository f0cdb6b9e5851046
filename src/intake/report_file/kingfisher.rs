//! Kingfisher, JSON and JSON lines.

use serde_json::Value;

use super::{
    fields::{elements, first_text, member, texts},
    finding::{EntryFindings, Finding},
};
use akgate_rules::leak::LeakPlace;
use akgate_scan::instant::parse_instant;

/// A finding, or a rule with its findings.
pub(super) fn findings(value: &Value) -> EntryFindings {
    let matches = elements(value, "matches");
    if !matches.is_empty() {
        return Ok(matches.iter().filter_map(finding).collect());
    }
    match finding(value) {
        Some(finding) => Ok(vec![finding]),
        // The summary at the end.
        None if member(value, "findings").is_some() || member(value, "bytes_scanned").is_some() => {
            Ok(Vec::new())
        }
        None => Err("missing field `finding`".to_owned()),
    }
}

fn finding(value: &Value) -> Option<Finding> {
    let found = member(value, "finding")?;
    let commit = ["git_metadata.commit.id", "git_metadata.commit.sha"];
    let dates = [
        "git_metadata.commit.date",
        "git_metadata.commit.committer.timestamp",
    ];
    Some(Finding {
        rule: texts(value, &["rule.name", "rule.id"]).join(" "),
        matches: texts(found, &["snippet"]),
        context: texts(found, &["context"]),
        place: LeakPlace::new(
            first_text(
                found,
                &[
                    "git_metadata.file.url",
                    "git_metadata.commit.url",
                    "git_metadata.repository_url",
                ],
            )
            .as_deref(),
            first_text(found, &commit).as_deref(),
            first_text(found, &["git_metadata.file.path", "path"]).as_deref(),
        ),
        first_seen: first_text(found, &dates).as_deref().and_then(parse_instant),
    })
}
