//! secretlint, JSON: a file with its messages and, if asked for, its source.

use serde_json::Value;

use super::{
    fields::{elements, member, text, texts},
    finding::{EntryFindings, Finding},
};
use akgate_rules::leak::LeakPlace;

/// A file.
pub(super) fn findings(value: &Value) -> EntryFindings {
    let path = text(value, "filePath").ok_or("missing field `filePath`")?;
    let source = text(value, "sourceContent").unwrap_or_default();
    let found = elements(value, "messages").iter().map(|one| {
        let quoted = quote(&source, one);
        Finding {
            rule: texts(one, &["ruleId", "ruleParentId", "messageId"]).join(" "),
            matches: quoted.into_iter().collect(),
            context: texts(one, &["message"])
                .into_iter()
                .chain([source.clone()])
                .collect(),
            place: LeakPlace::new(None, None, Some(&path)),
            first_seen: None,
        }
    });
    Ok(found.collect())
}

/// What a message is about: its range counts characters of JavaScript, which are UTF-16 units.
fn quote(source: &str, message: &Value) -> Option<String> {
    let bound = |name: &str| usize::try_from(member(message, name)?.as_u64()?).ok();
    let (start, end) = (bound("range.0")?, bound("range.1")?);
    let units: Vec<u16> = source.encode_utf16().take(end).skip(start).collect();
    Some(String::from_utf16_lossy(&units)).filter(|text| !text.is_empty())
}
