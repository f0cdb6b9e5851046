//! Reads members of JSON values: one that is missing, `null` or of another type is absent.

use serde_json::Value;

/// The string in a member, by its path: `location.commit.sha`. A number counts as its digits.
pub(super) fn text(value: &Value, path: &str) -> Option<String> {
    match member(value, path)? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The first string of several members.
pub(super) fn first_text(value: &Value, paths: &[&str]) -> Option<String> {
    paths.iter().find_map(|path| text(value, path))
}

/// The strings of several members, in their order.
pub(super) fn texts(value: &Value, paths: &[&str]) -> Vec<String> {
    paths.iter().filter_map(|path| text(value, path)).collect()
}

/// The elements of an array in a member.
pub(super) fn elements<'v>(value: &'v Value, path: &str) -> &'v [Value] {
    match member(value, path) {
        Some(Value::Array(elements)) => elements,
        _ => &[],
    }
}

/// A member by its path; each step is the name of a member, or a number for an element.
pub(super) fn member<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, name| match value {
        Value::Array(elements) => elements.get(name.parse::<usize>().ok()?),
        other => other.get(name),
    })
}

/// All strings in a value, at any depth.
pub(super) fn all_texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(elements) => elements.iter().for_each(|one| all_texts(one, found)),
        Value::Object(members) => members.values().for_each(|one| all_texts(one, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
