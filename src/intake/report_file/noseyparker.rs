//! Nosey Parker, JSON and JSON lines.

use serde_json::Value;

use super::{
    fields::{all_texts, elements, first_text, member, text, texts},
    finding::{EntryFindings, Finding},
};
use akgate_rules::leak::LeakPlace;
use akgate_scan::instant::parse_instant;

/// A finding, with every match of it.
pub(super) fn findings(value: &Value) -> EntryFindings {
    let matches = elements(value, "matches");
    let rule = first_text(value, &["rule_name", "rule_text_id"]).unwrap_or_default();
    if matches.is_empty()
        && member(value, "match_content").is_none()
        && member(value, "snippet").is_none()
    {
        return Err("missing field `matches`".to_owned());
    }
    // A line for each match has the same members.
    let found = if matches.is_empty() {
        std::slice::from_ref(value)
    } else {
        matches
    };
    let mut common = texts(value, &["match_content"]);
    if let Some(groups) = member(value, "groups") {
        all_texts(groups, &mut common);
    }
    Ok(found
        .iter()
        .flat_map(|one| {
            let mut quoted = texts(one, &["match_content", "snippet.matching"]);
            if let Some(groups) = member(one, "groups") {
                all_texts(groups, &mut quoted);
            }
            quoted.extend(common.clone());
            let around = ["snippet.before", "snippet.matching", "snippet.after"];
            let around = texts(one, &around).concat();
            let rule = text(one, "rule_name").unwrap_or_else(|| rule.clone());
            places(one).into_iter().map(move |(place, date)| Finding {
                rule: rule.clone(),
                matches: quoted.clone(),
                context: vec![around.clone()],
                place,
                first_seen: date.as_deref().and_then(parse_instant),
            })
        })
        .collect())
}

/// Where a match stands: the same text may be in many files.
fn places(found: &Value) -> Vec<(LeakPlace, Option<String>)> {
    let sources = elements(found, "provenance");
    let single = member(found, "provenance").filter(|one| one.is_object());
    let places: Vec<_> = sources.iter().chain(single).map(place).collect();
    match places.is_empty() {
        true => vec![(LeakPlace::default(), None)],
        false => places,
    }
}

fn place(source: &Value) -> (LeakPlace, Option<String>) {
    let commit = member(source, "first_commit")
        .or_else(|| member(source, "commit_provenance"))
        .unwrap_or(&Value::Null);
    let place = LeakPlace::new(
        first_text(source, &["url", "repo_url", "repo_path"]).as_deref(),
        first_text(commit, &["commit_metadata.commit_id"]).as_deref(),
        first_text(commit, &["blob_path"])
            .or_else(|| text(source, "path"))
            .as_deref(),
    );
    let dates = [
        "commit_metadata.committer_timestamp",
        "commit_metadata.author_timestamp",
    ];
    let date = first_text(commit, &dates);
    // Seconds and an offset, as in a commit.
    let date = date.map(|date| match date.split_once(' ') {
        Some((seconds, _)) if seconds.len() >= 9 && seconds.bytes().all(|b| b.is_ascii_digit()) => {
            seconds.to_owned()
        }
        _ => date,
    });
    (place, date)
}
