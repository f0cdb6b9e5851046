//! Adds to the description what holds for every schema and response: the maximum length of texts and lists, the range
//! of numbers, and the common headers. Generated clients, gateways and tests can rely on them.

use serde_json::{Map, Value, json};

use crate::http::extract::MAX_PARAMETER_CHARS;

/// The longest text in a response, in characters; texts from outside are cut to much less.
const MAX_TEXT_CHARS: u64 = 65_536;

/// The longest list of an answer.
const MAX_LIST_ITEMS: u64 = 100_000;

/// Adds the bounds to a description.
pub fn add_bounds(api: &mut Value) {
    let of_api = api.as_object_mut();
    let Some(paths) = of_api.and_then(|api| api.get_mut("paths")?.as_object_mut()) else {
        return;
    };
    for operation in paths
        .values_mut()
        .filter_map(Value::as_object_mut)
        .flat_map(Map::values_mut)
    {
        let parameters = operation
            .get_mut("parameters")
            .and_then(Value::as_array_mut);
        for schema in parameters
            .into_iter()
            .flatten()
            .filter_map(|one| one.get_mut("schema"))
        {
            bound_schema(schema, MAX_PARAMETER_CHARS as u64, "^[^\\u0000]*$");
        }
        let responses = operation
            .get_mut("responses")
            .and_then(Value::as_object_mut);
        for (status, response) in responses.into_iter().flatten() {
            add_rate_limit_headers(status, response);
        }
    }
    bound_all_schemas(api);
}

/// The headers of every response: the state of the rate limit.
fn add_rate_limit_headers(status: &str, response: &mut Value) {
    let Some(response) = response.as_object_mut() else {
        return;
    };
    let headers = response.entry("headers").or_insert_with(|| json!({}));
    let Some(headers) = headers.as_object_mut() else {
        return;
    };
    let number = |description: &str| {
        json!({
            "description": description,
            "schema": { "type": "integer", "format": "int64", "minimum": 0, "maximum": u32::MAX },
        })
    };
    for (name, description) in [
        (
            "RateLimit-Limit",
            "How many requests one source address may send at once.",
        ),
        ("RateLimit-Remaining", "How many of them remain."),
        ("RateLimit-Reset", "Seconds until one more is available."),
    ] {
        headers.insert(name.to_owned(), number(description));
    }
    if status == "429" {
        headers.insert(
            "Retry-After".to_owned(),
            number("Seconds until you may try again."),
        );
    }
    if let Some(tag) = headers
        .get_mut("ETag")
        .and_then(|tag| tag.get_mut("schema"))
    {
        *tag = json!({ "type": "string", "pattern": "^\"[0-9a-f]{32}\"$", "maxLength": 34 });
    }
}

/// Every schema, wherever it stands.
fn bound_all_schemas(value: &mut Value) {
    bound_schema(value, MAX_TEXT_CHARS, "^[\\s\\S]*$");
    match value {
        Value::Object(members) => members.values_mut().for_each(bound_all_schemas),
        Value::Array(values) => values.iter_mut().for_each(bound_all_schemas),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Adds bounds to a value if it is a schema without bounds of its own.
fn bound_schema(schema: &mut Value, longest: u64, pattern: &str) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    let is = |schema: &Map<String, Value>, name: &str| match schema.get("type") {
        Some(Value::String(kind)) => kind == name,
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == name),
        _ => false,
    };
    let says = |schema: &Map<String, Value>, names: &[&str]| {
        names.iter().any(|name| schema.contains_key(*name))
    };
    if is(schema, "string") && !says(schema, &["enum", "const"]) {
        let longest = match schema.get("format").and_then(Value::as_str) {
            Some("uuid") => 36,
            // RFC 3339, to the nanosecond, with an offset.
            Some("date-time") => 35,
            _ => longest,
        };
        schema.entry("maxLength").or_insert_with(|| json!(longest));
        if !says(schema, &["format", "pattern"]) {
            schema.insert("pattern".to_owned(), json!(pattern));
        }
    }
    if is(schema, "integer") {
        schema.entry("format").or_insert_with(|| json!("int64"));
        schema.entry("minimum").or_insert_with(|| json!(i64::MIN));
        schema.entry("maximum").or_insert_with(|| json!(i64::MAX));
    }
    if is(schema, "array") {
        schema
            .entry("maxItems")
            .or_insert_with(|| json!(MAX_LIST_ITEMS));
    }
}
