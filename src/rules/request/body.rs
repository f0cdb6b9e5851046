//! Parses the two types of bodies whose members are parameters: forms and JSON.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::parameters::{check_name, check_value, decode_pairs};
use crate::fault::Fault;

/// The declared type of a body, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyType {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `application/json`.
    Json,
    /// Anything else, or nothing declared.
    Other,
}

impl BodyType {
    /// Reads a `Content-Type`.
    ///
    /// # Errors
    /// [`Fault::InvalidParameter`] for a form or JSON in another character set than UTF-8, which would
    /// be read differently upstream.
    pub fn read(content_type: Option<&str>) -> Result<Self, Fault> {
        let mut parts = content_type.unwrap_or_default().split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        let this = if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Self::Form
        } else if essence.eq_ignore_ascii_case("application/json") {
            Self::Json
        } else {
            return Ok(Self::Other);
        };
        let utf8 = parts
            .filter_map(|part| part.split_once('='))
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
            .all(|(_, set)| set.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"));
        if utf8 {
            Ok(this)
        } else {
            Err(Fault::parameter(
                "Content-Type",
                "the character set must be UTF-8",
            ))
        }
    }
}

/// The members of a body as parameters; nothing for a body of another type, which is opaque.
///
/// # Errors
/// As [`decode_pairs`]; for JSON, [`Fault::InvalidParameter`] where it is broken, no object, or names a
/// member twice.
pub fn body_members(body_type: BodyType, body: &[u8]) -> Result<Vec<(String, BodyMember)>, Fault> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    match body_type {
        BodyType::Form if body.starts_with(b"?") || !body.iter().all(is_of_a_form) => {
            Err(Fault::parameter(
                "body",
                "a form has visible ASCII characters only, no semicolon and no ? at its beginning: write them as %3B and %3F",
            ))
        }
        BodyType::Form => Ok(decode_pairs(body)?
            .into_iter()
            .map(|(name, value)| (name, BodyMember::Text(value)))
            .collect()),
        BodyType::Json => json_members(body),
        BodyType::Other => Ok(Vec::new()),
    }
}

/// Whether a byte may stand in a form: some servers split pairs at a semicolon, and decode other bytes in their own way.
fn is_of_a_form(byte: &u8) -> bool {
    byte.is_ascii_graphic() && *byte != b';'
}

/// The value of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyMember {
    /// A text, or a whole number as its digits.
    Text(String),
    /// A value that has no one text.
    Nested,
}

impl BodyMember {
    /// The text of the member; empty for a nested one.
    #[must_use]
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Nested => String::new(),
        }
    }
}

fn json_members(body: &[u8]) -> Result<Vec<(String, BodyMember)>, Fault> {
    let JsonMembers(members) = serde_json::from_slice(body).map_err(|fault| {
        Fault::parameter(
            "body",
            format!(
                "it must be one JSON object (line {}, column {})",
                fault.line(),
                fault.column()
            ),
        )
    })?;
    members
        .into_iter()
        .map(|(name, value)| {
            check_name(&name)?;
            check_texts(&name, &value)?;
            Ok((
                name,
                match value {
                    Value::String(text) => BodyMember::Text(text),
                    Value::Number(number) if number.is_i64() || number.is_u64() => {
                        BodyMember::Text(number.to_string())
                    }
                    Value::Number(_)
                    | Value::Null
                    | Value::Bool(_)
                    | Value::Array(_)
                    | Value::Object(_) => BodyMember::Nested,
                },
            ))
        })
        .collect()
}

/// Checks every text of a member's value, however deep; serde_json bounds the depth at 128.
fn check_texts(name: &str, value: &Value) -> Result<(), Fault> {
    match value {
        Value::String(text) => check_value(name, text),
        Value::Array(values) => values.iter().try_for_each(|value| check_texts(name, value)),
        Value::Object(members) => members.iter().try_for_each(|(member, value)| {
            check_value(name, member)?;
            check_texts(name, value)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// An object's members in the order in which they stand, equal names kept: a map would drop one.
struct JsonMembers(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for JsonMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = JsonMembers;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonMembers, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(JsonMembers(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_body_that_is_broken_or_no_object_is_refused() {
        for body in ["{", "[]", "1", "{\"a\":1}x", "{\"a\" 1}", "{\"\":1}"] {
            assert!(
                body_members(BodyType::Json, body.as_bytes()).is_err(),
                "{body}"
            );
        }
    }

    #[test]
    fn control_character_in_any_text_is_refused_but_tab_and_line_breaks_are_not() {
        let read = |body: &str| body_members(BodyType::Json, body.as_bytes());
        for body in [
            r#"{"UserName":"a\u0000b"}"#,
            r#"{"Tags":[{"Key":"a","Value":"\u001b[31m"}]}"#,
            r#"{"Tags":[{"K\u0007":"a"}]}"#,
            r#"{"UserName":"a\u0085b"}"#,
            r#"{"UserName":"a\u007fb"}"#,
        ] {
            assert!(read(body).is_err(), "{body}");
        }
        assert!(read(r#"{"PolicyDocument":"{\r\n\t\"Version\": \"1\"}"}"#).is_ok());
        let form = |body: &str| body_members(BodyType::Form, body.as_bytes());
        assert!(form("UserName=a%00b").is_err() && form("UserName=a%1Bb").is_err());
        assert!(form("PolicyDocument=%7B%0A%09%7D").is_ok());
    }

    #[test]
    fn body_in_another_character_set_than_utf8_is_refused() {
        assert!(BodyType::read(Some("application/json; charset=utf-16")).is_err());
        assert_eq!(
            BodyType::read(Some("Application/JSON; charset=\"UTF-8\"")),
            Ok(BodyType::Json)
        );
    }
}
