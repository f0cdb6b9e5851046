//! The limits of parameters (SDK docstrings of 2026).

use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use super::{asked::Asked, refused::Refused};

/// A name of 1 to 64 characters of letters, digits and `extra`.
pub fn name<'a>(name: &str, text: &'a str, extra: &str) -> Result<&'a str, Refused> {
    if !(1..=64).contains(&text.len()) {
        return Err(Refused::length(name));
    }
    if text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
    {
        Ok(text)
    } else {
        Err(Refused::invalid_chars(name))
    }
}

/// A text that may be left out, of at most `longest` characters.
pub fn text(asked: &Asked, name: &str, longest: usize) -> Result<Option<String>, Refused> {
    match asked.get(name) {
        Some(text) if text.chars().count() > longest => Err(Refused::length(name)),
        text => Ok(text.map(str::to_owned)),
    }
}

/// A page's size.
pub fn max_items(asked: &Asked, default: i64) -> Result<i64, Refused> {
    match asked.get("MaxItems") {
        None => Ok(default),
        Some(text) => text
            .parse()
            .ok()
            .filter(|count| (1..=1000).contains(count))
            .ok_or_else(|| Refused::incorrect("MaxItems")),
    }
}

/// A date as the API writes it: UTC, whole seconds.
pub fn date(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    at.replace_nanosecond(0)
        .unwrap_or(at)
        .format(&Rfc3339)
        .unwrap_or_default()
}
