//! Arguments whose values have names: those of a `text_enum!`.

use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use akgate_rules::text_enum::UnknownName;

/// Reads one of these names; `--help` lists them.
pub(super) fn one_of<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = UnknownName> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

/// Reads a name in any case.
pub(super) fn parse_any_case<T: FromStr<Err = UnknownName>>(text: &str) -> Result<T, String> {
    text.parse().or_else(|unknown: UnknownName| {
        let mut names = unknown.names.iter();
        names
            .find(|name| name.eq_ignore_ascii_case(text))
            .and_then(|name| name.parse().ok())
            .ok_or_else(|| format!("must be one of {}", unknown.names.join(", ")))
    })
}

/// A value of one's own, or `None` for the configured one.
#[derive(Debug, Clone, Copy)]
pub struct Override<T>(pub Option<T>);

impl<T: FromStr<Err = UnknownName>> Override<T> {
    /// Reads a name, or `default`, the name of the configured value.
    pub(super) fn parse(text: &str, default: &str) -> Result<Self, String> {
        if text == default {
            return Ok(Self(None));
        }
        text.parse()
            .map(|value| Self(Some(value)))
            .map_err(|unknown: UnknownName| {
                format!("must be one of {}, {default}", unknown.names.join(", "))
            })
    }
}
