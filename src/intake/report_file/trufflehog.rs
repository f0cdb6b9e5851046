//! TruffleHog 3, JSON. Its `Verified` is a hint: the detector for Alibaba asks ECS, so a good key without rights there
//! is "unverified".

use serde_json::Value;

use super::{
    fields::{all_texts, first_text, member, text, texts},
    finding::{EntryFindings, Finding},
};
use akgate_rules::leak::LeakPlace;
use akgate_scan::instant::parse_instant;

/// A finding. A line of its log is none.
pub(super) fn findings(value: &Value) -> EntryFindings {
    if member(value, "DetectorName").is_none() && member(value, "Raw").is_none() {
        return match member(value, "msg").is_some() && member(value, "level").is_some() {
            true => Ok(Vec::new()),
            false => Err("missing field `DetectorName`".to_owned()),
        };
    }
    // By the kind of source: Git, Github, Filesystem, …
    let about = member(value, "SourceMetadata.Data")
        .and_then(Value::as_object)
        .and_then(|data| data.values().next())
        .unwrap_or(&Value::Null);
    let place = LeakPlace::new(
        first_text(
            about,
            &["link", "url", "repository", "repo", "image", "bucket"],
        )
        .as_deref(),
        first_text(about, &["commit", "commit_hash"]).as_deref(),
        first_text(about, &["file", "path", "filename", "key", "layer"]).as_deref(),
    );
    let mut matches = texts(value, &["Raw", "RawV2"]);
    if let Some(parts) = member(value, "SecretParts") {
        all_texts(parts, &mut matches);
    }
    let time = first_text(about, &["timestamp", "created_at", "date"]);
    Ok(vec![Finding {
        rule: text(value, "DetectorName").unwrap_or_default(),
        matches,
        context: texts(value, &["ExtraData.context"]),
        place,
        first_seen: time.as_deref().and_then(parse_instant),
    }])
}
