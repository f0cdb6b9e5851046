//! How single values are read, and what their schemas say.

use serde::{Deserialize, Deserializer};
use utoipa::openapi::{Object, ObjectBuilder, Type, schema::SchemaType};

/// Reads a whole number, `7.0` included: to JSON Schema it is one.
pub(crate) fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let whole = number.as_u64().or_else(|| {
        let whole = number.as_f64().filter(|number| number.fract() == 0.0)?;
        format!("{whole}").parse().ok()
    });
    whole
        .and_then(|whole| u16::try_from(whole).ok())
        .ok_or_else(|| serde::de::Error::custom("expected a whole number from 0 to 65535"))
}

/// The schema of a text of 1 to `LONGEST` characters, one of which is no space, and none a control character.
pub(crate) fn text_schema<const LONGEST: usize>() -> Object {
    text_of::<LONGEST>(Type::String.into())
}

/// The same for a text that may be left out.
pub(crate) fn optional_text_schema<const LONGEST: usize>() -> Object {
    text_of::<LONGEST>(SchemaType::from_iter([Type::String, Type::Null]))
}

fn text_of<const LONGEST: usize>(kind: SchemaType) -> Object {
    // Something that is no space, and nothing that breaks a line.
    const PATTERN: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$";
    ObjectBuilder::new()
        .schema_type(kind)
        .min_length(Some(1))
        .max_length(Some(LONGEST))
        .pattern(Some(PATTERN))
        .build()
}
