//! GitHub's secret-scanning alerts, as the API and its webhooks give them.

use serde_json::Value;

use super::{
    fields::{first_text, member, text, texts},
    finding::{EntryFindings, Finding},
};
use akgate_rules::leak::LeakPlace;
use akgate_scan::instant::parse_instant;

/// An alert.
pub(super) fn findings(value: &Value) -> EntryFindings {
    let alert = member(value, "alert").unwrap_or(value);
    let secret =
        text(alert, "secret").ok_or("missing field `secret`: ask the API without hide_secret")?;
    let place = LeakPlace::new(
        first_text(
            alert,
            &[
                "first_location_detected.html_url",
                "locations.0.details.html_url",
                "html_url",
                "url",
            ],
        )
        .as_deref(),
        first_text(
            alert,
            &[
                "first_location_detected.commit_sha",
                "locations.0.details.commit_sha",
            ],
        )
        .as_deref(),
        first_text(
            alert,
            &["first_location_detected.path", "locations.0.details.path"],
        )
        .as_deref(),
    );
    Ok(vec![Finding {
        rule: texts(alert, &["secret_type", "secret_type_display_name"]).join(" "),
        matches: vec![secret],
        context: Vec::new(),
        place,
        first_seen: text(alert, "created_at").as_deref().and_then(parse_instant),
    }])
}
