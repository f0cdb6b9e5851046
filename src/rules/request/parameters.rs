//! Names and values of a query or a form: decoded once, unique, sorted as they are signed.

use std::{borrow::Cow, fmt};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::fault::Fault;

/// More parameters than this are refused. The largest catalogue operation takes a few dozen.
pub const MAX_PARAMETERS: usize = 2_000;

/// Everything but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// `enc` of the signature rules: percent-encodes all but the unreserved characters, upper-case hex.
pub fn percent_encode(text: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(text, RESERVED)
}

/// Decoded parameters, each name once, sorted by name in byte order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Sorts the pairs and refuses a name that comes twice.
    ///
    /// # Errors
    /// [`Fault::InvalidParameter`] where two names are equal, or differ only in the case of their
    /// letters: what one reader takes for two parameters is one to another.
    pub fn collect(mut pairs: Vec<(String, String)>) -> Result<Self, Fault> {
        if pairs.len() > MAX_PARAMETERS {
            return Err(Fault::InvalidRequest(
                format!("it has more than {MAX_PARAMETERS} parameters").into(),
            ));
        }
        let mut folded: Vec<Cow<'_, str>> = pairs.iter().map(|(name, _)| fold_case(name)).collect();
        folded.sort_unstable();
        if let Some(twice) = folded.windows(2).find(|pair| pair.first() == pair.last()) {
            let name = pairs
                .iter()
                .map(|(name, _)| name)
                .find(|name| twice.first().is_some_and(|t| fold_case(name) == *t))
                .cloned()
                .unwrap_or_default();
            return Err(Fault::parameter(name, "it is given more than once"));
        }
        drop(folded);
        pairs.sort_unstable();
        Ok(Self(pairs))
    }

    /// The value of a parameter; names are case-sensitive.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self
            .0
            .binary_search_by(|(candidate, _)| candidate.as_str().cmp(name))
            .ok()?;
        self.0.get(at).map(|(_, value)| value.as_str())
    }

    /// Puts a parameter in; one of the same name goes.
    pub fn insert(&mut self, name: &str, value: String) {
        let after = self
            .0
            .partition_point(|(existing, _)| existing.as_str() < name);
        self.remove(name);
        self.0.insert(after, (name.to_owned(), value));
    }

    /// Takes a parameter out.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let at = self
            .0
            .binary_search_by(|(candidate, _)| candidate.as_str().cmp(name))
            .ok()?;
        Some(self.0.remove(at).1)
    }

    /// The pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `percent_encode(name)=percent_encode(value)` joined by `&`: signed by RPC and ACS3, and how every query is printed.
    #[must_use]
    pub fn canonical(&self) -> String {
        join_pairs(
            self.iter()
                .map(|(name, value)| (percent_encode(name), percent_encode(value))),
        )
    }

    /// The canonical query of the SDKs that leave names as they are (Python, Node, Go).
    ///
    /// `None` where a name could pass for two parameters, or for an encoded name.
    #[must_use]
    pub fn canonical_with_raw_names(&self) -> Option<String> {
        let plain = self.iter().all(|(name, _)| {
            !name
                .chars()
                .any(|c| matches!(c, '&' | '=' | '%' | '+') || c.is_control())
        });
        plain.then(|| {
            join_pairs(
                self.iter()
                    .map(|(name, value)| (name, percent_encode(value))),
            )
        })
    }
}

impl fmt::Debug for Parameters {
    /// Names only: values hold passwords and tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

/// Decodes `name=value&…` as forms and queries are written: `+` is a space, then `%XX`.
///
/// # Errors
/// [`Fault::InvalidParameter`] for a broken escape, text that is not UTF-8, an empty name, a control
/// character in a name or a value.
pub fn decode_pairs(text: &[u8]) -> Result<Vec<(String, String)>, Fault> {
    text.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = percent_decode(halves.next().unwrap_or_default())?;
            let value = percent_decode(halves.next().unwrap_or_default())?;
            check_name(&name)?;
            check_value(&name, &value)?;
            Ok((name, value))
        })
        .collect()
}

/// Refuses names that no operation has.
///
/// # Errors
/// [`Fault::InvalidParameter`] for an empty name or a control character in it.
pub fn check_name(name: &str) -> Result<(), Fault> {
    if name.is_empty() {
        return Err(Fault::parameter("", "a parameter has no name"));
    }
    if name.chars().any(char::is_control) {
        return Err(Fault::parameter(
            name.escape_debug().to_string(),
            "its name holds a control character",
        ));
    }
    Ok(())
}

/// Refuses values with control characters but tab and line breaks: records, logs and terminals could not hold them.
///
/// # Errors
/// [`Fault::InvalidParameter`] for a control character (Unicode category Cc).
pub fn check_value(name: &str, value: &str) -> Result<(), Fault> {
    let is_refused = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    match value.chars().any(is_refused) {
        true => Err(Fault::parameter(
            name,
            "its value holds a control character",
        )),
        false => Ok(()),
    }
}

fn percent_decode(text: &[u8]) -> Result<String, Fault> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let escape = rest
                    .next()
                    .and_then(hex_digit)
                    .zip(rest.next().and_then(hex_digit));
                let Some((high, low)) = escape else {
                    return Err(Fault::parameter(
                        excerpt(text),
                        "a % is not followed by two hexadecimal digits",
                    ));
                };
                high << 4 | low
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).map_err(|_| Fault::parameter(excerpt(text), "it is not UTF-8"))
}

fn hex_digit(byte: &u8) -> Option<u8> {
    let digit = char::from(*byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// The start of what the caller wrote, for the caller's eyes.
fn excerpt(text: &[u8]) -> String {
    String::from_utf8_lossy(text)
        .chars()
        .take(40)
        .flat_map(char::escape_debug)
        .collect()
}

fn fold_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

fn join_pairs<N: fmt::Display, V: fmt::Display>(pairs: impl Iterator<Item = (N, V)>) -> String {
    use fmt::Write as _;
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        // Writing to a String does not fail.
        let _ = write!(text, "{name}={value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(text: &str) -> Result<Parameters, Fault> {
        Parameters::collect(decode_pairs(text.as_bytes())?)
    }

    #[test]
    fn canonical_form_is_sorted_and_encoded() {
        let read = parameters("b=x+y%2B*~&a=%E5%BC%A0&B=").unwrap_err();
        assert_eq!(read.code(), "InvalidParameter");
        let read = parameters("b=x+y%2B*~&a=%E5%BC%A0&C=").unwrap();
        assert_eq!(read.canonical(), "C=&a=%E5%BC%A0&b=x%20y%2B%2A~");
    }

    #[test]
    fn parameter_given_twice_is_refused_and_named() {
        for text in [
            "Action=a&Action=b",
            "Action=a&action=a",
            "Action=a&%41ction=b",
        ] {
            let Err(Fault::InvalidParameter { name, .. }) = parameters(text) else {
                panic!("{text} passed");
            };
            assert!(name.eq_ignore_ascii_case("Action"), "{name}");
        }
    }

    #[test]
    fn broken_escapes_and_bad_text_are_refused() {
        for text in [
            "a=%", "a=%4", "a=%zz", "a=%ff", "%00=a", "=a", "a=%00", "a=%+1",
        ] {
            assert!(parameters(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ambiguous_raw_names_have_no_raw_form() {
        for text in ["a%26b=1", "a%3Db=1", "a%2541=1", "a%2Bb=1"] {
            assert_eq!(parameters(text).unwrap().canonical_with_raw_names(), None);
        }
        assert_eq!(
            parameters("%233=v%2B1").unwrap().canonical_with_raw_names(),
            Some("#3=v%2B1".into())
        );
    }

    #[test]
    fn inserted_parameter_keeps_the_order_and_is_unique() {
        let mut read = parameters("a=1&c=3").unwrap();
        read.insert("b", "2".into());
        read.insert("a", "0".into());
        read.insert("d", "4".into());
        assert_eq!(read.canonical(), "a=0&b=2&c=3&d=4");
        assert_eq!(read.remove("b").as_deref(), Some("2"));
        assert_eq!(read.canonical(), "a=0&c=3&d=4");
    }

    #[test]
    fn too_many_parameters_are_refused() {
        let many: Vec<String> = (0..10_000).map(|n| format!("p{n}=1")).collect();
        assert_eq!(
            parameters(&many.join("&")).unwrap_err().code(),
            "InvalidRequest"
        );
    }
}
