//! gitleaks 7 and 8 and betterleaks, JSON.

use serde_json::Value;

use super::{
    fields::{elements, first_text, text, texts},
    finding::{EntryFindings, Finding},
};
use akgate_rules::leak::LeakPlace;
use akgate_scan::instant::parse_instant;

/// A finding, and those that its rule requires near it.
pub(super) fn findings(value: &Value) -> EntryFindings {
    let secret = first_text(value, &["Secret", "offender"]).ok_or("missing field `Secret`")?;
    let path = ["File", "file", "Attributes.path"];
    let commit = ["Commit", "commit", "Attributes.git.sha"];
    let attribute = |name: &str| {
        value
            .get("Attributes")?
            .get(name)?
            .as_str()
            .map(str::to_owned)
    };
    let place = LeakPlace::new(
        first_text(value, &["Link", "leakURL"]).as_deref(),
        first_text(value, &commit)
            .or_else(|| attribute("git.sha"))
            .as_deref(),
        first_text(value, &path)
            .or_else(|| attribute("path"))
            .as_deref(),
    );
    let date = first_text(value, &["Date", "date"]).or_else(|| attribute("git.date"));
    let mut finding = Finding {
        rule: texts(value, &["RuleID", "rule", "Description", "tags"]).join(" "),
        matches: vec![secret],
        context: texts(value, &["Match", "Line", "line"]),
        place,
        first_seen: date.as_deref().and_then(parse_instant),
    };
    let required = elements(value, "RequiredSets")
        .iter()
        .flat_map(|set| elements(set, "components"))
        .chain(elements(value, "RequiredFindings"));
    for component in required {
        finding.matches.extend(text(component, "Secret"));
        finding.context.extend(text(component, "Match"));
    }
    Ok(vec![finding])
}
