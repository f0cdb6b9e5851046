//! Values of requests that are checked while they are parsed, and their schemas. The error says what the value must be;
//! the admin API puts the name of the field before it.

use std::{
    ops::{Deref, RangeInclusive},
    str::FromStr,
};

use akgate_rules::text_enum::UnknownName;
use serde::{Deserialize, Deserializer, de::Error};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type,
        schema::{Object, SchemaType},
    },
};

/// A text of an operator or a source: 1 to `MAX` characters, not blank, without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BoundedText<const MAX: usize>(String);

impl<const MAX: usize> TryFrom<String> for BoundedText<MAX> {
    type Error = String;

    fn try_from(given: String) -> Result<Self, String> {
        let length = given.chars().count();
        if given.trim().is_empty() || length > MAX {
            return Err(format!("must have 1 to {MAX} characters; it has {length}"));
        }
        match given.chars().any(char::is_control) {
            true => Err("must not contain a control character".to_owned()),
            false => Ok(Self(given)),
        }
    }
}

impl<const MAX: usize> Deref for BoundedText<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> From<BoundedText<MAX>> for String {
    fn from(text: BoundedText<MAX>) -> Self {
        text.0
    }
}

impl<const MAX: usize> PartialSchema for BoundedText<MAX> {
    fn schema() -> RefOr<Schema> {
        text_schema::<MAX>().into()
    }
}

impl<const MAX: usize> ToSchema for BoundedText<MAX> {}

/// The schema of a [`BoundedText`].
pub(crate) fn text_schema<const MAX: usize>() -> Object {
    text_of::<MAX>(Type::String.into())
}

/// The schema of a [`BoundedText`] that may be left out.
pub(crate) fn optional_text_schema<const MAX: usize>() -> Object {
    text_of::<MAX>(SchemaType::from_iter([Type::String, Type::Null]))
}

fn text_of<const MAX: usize>(kind: SchemaType) -> Object {
    // At least one character that is not white space, and no control character.
    const PATTERN: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$";
    ObjectBuilder::new()
        .schema_type(kind)
        .min_length(Some(1))
        .max_length(Some(MAX))
        .pattern(Some(PATTERN))
        .build()
}

/// How many results a page holds: 1 to `MAX`, `DEFAULT` where nothing else is asked for.
#[derive(Debug, Clone, Copy)]
pub struct PageSize<const MAX: i64 = 500, const DEFAULT: i64 = 50>(i64);

impl<const MAX: i64, const DEFAULT: i64> PageSize<MAX, DEFAULT> {
    /// The size.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }

    /// How many rows to read: one more than the page holds tells whether there is another page.
    #[must_use]
    pub fn limit(self) -> i64 {
        self.0.saturating_add(1)
    }

    /// Cuts the rows that were read to the page, and returns the token of the next one.
    pub fn paginate<T, I>(self, mut rows: Vec<T>, token: impl Fn(&T) -> I) -> (Vec<T>, Option<I>) {
        let size = usize::try_from(self.0).unwrap_or(usize::MAX);
        let has_more = rows.len() > size;
        rows.truncate(size);
        let next = rows.last().filter(|_| has_more).map(token);
        (rows, next)
    }
}

impl<const MAX: i64, const DEFAULT: i64> Default for PageSize<MAX, DEFAULT> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<'de, const MAX: i64, const DEFAULT: i64> Deserialize<'de> for PageSize<MAX, DEFAULT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        in_range(Some(i64::deserialize(deserializer)?), 1..=MAX).map(Self)
    }
}

impl<const MAX: i64, const DEFAULT: i64> PartialSchema for PageSize<MAX, DEFAULT> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(1))
            .maximum(Some(MAX))
            .default(Some(DEFAULT.into()))
            .into()
    }
}

impl<const MAX: i64, const DEFAULT: i64> ToSchema for PageSize<MAX, DEFAULT> {}

/// Reads a whole number of JSON, `7.0` included: to JSON Schema it is one.
pub(crate) fn whole_number<'de, T: TryFrom<i64>, D: Deserializer<'de>>(
    deserializer: D,
    range: RangeInclusive<i64>,
) -> Result<T, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let whole = number.as_i64().or_else(|| {
        let whole = number.as_f64().filter(|number| number.fract() == 0.0)?;
        format!("{whole}").parse().ok()
    });
    in_range(whole, range)
}

/// Gives back a number that is in a range.
pub(crate) fn in_range<T: TryFrom<i64>, E: Error>(
    number: Option<i64>,
    range: RangeInclusive<i64>,
) -> Result<T, E> {
    let number = number.filter(|number| range.contains(number));
    number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| E::custom(format!("must be {} to {}", range.start(), range.end())))
}

/// Reads one of the names of an enum; where it is none of them, the names are listed.
pub(crate) fn choice<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err = UnknownName>,
    D: Deserializer<'de>,
{
    let name = String::deserialize(deserializer)?;
    name.parse().map(Some).map_err(|unknown| {
        let UnknownName { names, .. } = unknown;
        let names = match names {
            [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            names => names.join(", "),
        };
        D::Error::custom(format!("must be {names}"))
    })
}

/// Declares a text that a check has accepted; the check gives what the text must be.
macro_rules! checked_text {
    ($(#[$meta:meta])* pub $name:ident, $check:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, ::serde::Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(given: String) -> Result<Self, String> {
                let check: fn(&str) -> Result<(), String> = $check;
                check(&given).map(|()| Self(given))
            }
        }

        impl ::std::ops::Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    };
}
pub(crate) use checked_text;

/// Checks that a text has so many ASCII letters, digits and marks.
pub(crate) fn check_plain(
    text: &str,
    lengths: RangeInclusive<usize>,
    marks: &str,
) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
    if lengths.contains(&text.len()) && text.chars().all(fits) {
        return Ok(());
    }
    let (min, max) = (lengths.start(), lengths.end());
    let marks: String = marks.chars().flat_map(|mark| [' ', mark]).collect();
    Err(format!(
        "must be {min} to {max} characters of A-Z a-z 0-9{marks}"
    ))
}
