//! The limits of parameters (SDK docstrings of 2026).

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use super::{asked::SandboxRequest, refused::SandboxFault};

/// A name of 1 to 64 characters of letters, digits and `extra`.
pub fn check_name<'a>(name: &str, text: &'a str, extra: &str) -> Result<&'a str, SandboxFault> {
    check_name_length(64, name, text, extra)
}

/// A name of 1 to `longest` characters of letters, digits and `extra`.
pub fn check_name_length<'a>(
    longest: usize,
    name: &str,
    text: &'a str,
    extra: &str,
) -> Result<&'a str, SandboxFault> {
    if !(1..=longest).contains(&text.len()) {
        return Err(SandboxFault::length(name));
    }
    if text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
    {
        Ok(text)
    } else {
        Err(SandboxFault::invalid_chars(name))
    }
}

/// A text that may be left out, of at most `longest` characters.
pub fn optional_text(
    asked: &SandboxRequest,
    name: &str,
    longest: usize,
) -> Result<Option<String>, SandboxFault> {
    match asked.get(name) {
        Some(text) if text.chars().count() > longest => Err(SandboxFault::length(name)),
        text => Ok(text.map(str::to_owned)),
    }
}

/// A truth value that may be left out: Python's SDKs write `True`, the others `true`.
pub fn optional_flag(asked: &SandboxRequest, name: &str) -> Result<Option<bool>, SandboxFault> {
    match asked.get(name) {
        None => Ok(None),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(_) => Err(SandboxFault::incorrect(name)),
    }
}

/// A whole number that may be left out.
pub fn optional_number(
    asked: &SandboxRequest,
    name: &str,
    range: &std::ops::RangeInclusive<i64>,
) -> Result<Option<i64>, SandboxFault> {
    let read = |text: &str| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| SandboxFault::range(name, range))
    };
    asked.get(name).map(read).transpose()
}

/// Text in Base64, decoded.
pub fn decode_base64(name: &str, text: &str) -> Result<Vec<u8>, SandboxFault> {
    // Clients break lines and leave the padding out.
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| SandboxFault::format(name))
}

/// A policy document: JSON with `Version` "1" and at least one statement, of at most 6144 characters.
pub fn check_policy_document(name: &str, text: &str) -> Result<serde_json::Value, SandboxFault> {
    const LONGEST: usize = 6144;
    if text.chars().count() > LONGEST {
        return Err(SandboxFault::length(name));
    }
    let document: serde_json::Value = serde_json::from_str(text)
        .map_err(|_| SandboxFault::malformed_policy("The policy document is not valid JSON."))?;
    let statements = document.get("Statement").and_then(|one| one.as_array());
    let is_one = document.get("Version").and_then(|one| one.as_str()) == Some("1");
    if !is_one || statements.is_none_or(Vec::is_empty) {
        return Err(SandboxFault::malformed_policy(
            "A policy document has Version \"1\" and at least one Statement.",
        ));
    }
    Ok(document)
}

/// A date as the API writes it: UTC, whole seconds.
pub fn format_date(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    at.replace_nanosecond(0)
        .unwrap_or(at)
        .format(&Rfc3339)
        .unwrap_or_default()
}
