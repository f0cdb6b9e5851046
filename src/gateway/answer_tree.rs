//! Reading an upstream's answer: JSON or XML by its Content-Type, plain or compressed by gzip, into one tree.

use std::{borrow::Cow, io::Read};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use quick_xml::{Reader, events::Event};
use serde_json::{Map, Value};

/// Maximum nesting depth. The answers that akgate reads have three levels.
const DEPTH: usize = 32;

/// The longest answer when it is decompressed, in bytes.
const LONGEST_TEXT: u64 = 8 << 20;

/// What some servers write in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why an answer cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It is compressed in a way that akgate does not read.
    #[error("the answer is encoded")]
    Encoded,
    /// It is neither JSON nor XML, or broken, or longer than 8 MiB when it is decompressed.
    #[error("the answer is neither JSON nor XML")]
    Malformed,
}

/// Reads an answer. XML's root element is left out, so that both formats give the same tree.
///
/// # Errors
/// [`AnswerError`].
pub fn read_answer(headers: &HeaderMap, body: &Bytes) -> Result<Value, AnswerError> {
    let decoded = decode(headers, body)?;
    let text = decoded.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&decoded);
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_ascii_lowercase();
    if content_type.contains("json") {
        serde_json::from_slice(text).map_err(|_| AnswerError::Malformed)
    } else if content_type.contains("xml") {
        xml(text)
    } else {
        Err(AnswerError::Malformed)
    }
}

/// The body as it was before `Content-Encoding`.
fn decode<'b>(headers: &HeaderMap, body: &'b [u8]) -> Result<Cow<'b, [u8]>, AnswerError> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    let encoding = encodings.next().map(HeaderValue::as_bytes);
    match (
        encoding.map(<[u8]>::to_ascii_lowercase).as_deref(),
        encodings.next(),
    ) {
        (None | Some(b"identity"), None) => Ok(Cow::Borrowed(body)),
        (Some(b"gzip" | b"x-gzip"), None) => {
            let mut text = Vec::new();
            let mut decoder = MultiGzDecoder::new(body).take(LONGEST_TEXT + 1);
            let read = decoder.read_to_end(&mut text);
            let fits = read.is_ok_and(|read| read as u64 <= LONGEST_TEXT);
            fits.then_some(Cow::Owned(text))
                .ok_or(AnswerError::Malformed)
        }
        _ => Err(AnswerError::Encoded),
    }
}

/// The text at a path of names.
#[must_use]
pub fn text_at<'t>(tree: &'t Value, path: &[&str]) -> Option<&'t str> {
    path.iter()
        .try_fold(tree, |tree, name| tree.get(name))?
        .as_str()
}

/// An element that is open: its name, its children, its text.
#[derive(Default)]
struct Open {
    name: String,
    children: Map<String, Value>,
    text: String,
}

fn xml(body: &[u8]) -> Result<Value, AnswerError> {
    let malformed = |_| AnswerError::Malformed;
    let text = std::str::from_utf8(body).map_err(|_| AnswerError::Malformed)?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    loop {
        match reader.read_event().map_err(malformed)? {
            Event::Start(start) => {
                if open.len() >= DEPTH {
                    return Err(AnswerError::Malformed);
                }
                open.push(Open {
                    name: start.name().as_ref().to_owned(),
                    ..Open::default()
                });
            }
            Event::Empty(empty) => {
                let name = empty.name().as_ref().to_owned();
                if let Some(parent) = open.last_mut() {
                    parent.children.insert(name, Value::String(String::new()));
                }
            }
            Event::Text(text) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&text.xml10_content());
                }
            }
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref() {
                    Ok(Some(character)) => character.to_string(),
                    Ok(None) => quick_xml::escape::resolve_predefined_entity(&reference)
                        .ok_or(AnswerError::Malformed)?
                        .to_owned(),
                    Err(_) => return Err(AnswerError::Malformed),
                };
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&resolved);
                }
            }
            Event::End(_) => {
                let element = open.pop().ok_or(AnswerError::Malformed)?;
                let value = if element.children.is_empty() {
                    Value::String(element.text)
                } else {
                    Value::Object(element.children)
                };
                match open.last_mut() {
                    Some(parent) => drop(parent.children.insert(element.name, value)),
                    None => return Ok(value),
                }
            }
            Event::Eof => return Err(AnswerError::Malformed),
            Event::CData(text) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&text);
                }
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(content_type: &str, body: &str) -> Result<Value, AnswerError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        read_answer(&headers, &Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn both_forms_give_the_same_tree() {
        let json = read_as(
            "application/json;charset=utf-8",
            r#"{"RequestId":"1","AccessKey":{"AccessKeyId":"LTAI5tFake","AccessKeySecret":"a&b<c"}}"#,
        );
        let xml = read_as(
            "text/xml;charset=utf-8",
            "<?xml version='1.0' encoding='UTF-8'?><CreateAccessKeyResponse><RequestId>1</RequestId>\
             <AccessKey><AccessKeyId>LTAI5tFake</AccessKeyId><AccessKeySecret>a&amp;b&#60;c</AccessKeySecret>\
             </AccessKey></CreateAccessKeyResponse>",
        );
        assert_eq!(json, xml);
        let tree = json.unwrap();
        assert_eq!(
            text_at(&tree, &["AccessKey", "AccessKeySecret"]),
            Some("a&b<c")
        );
        assert_eq!(text_at(&tree, &["AccessKey", "Absent"]), None);
    }

    #[test]
    fn what_cannot_be_read_is_not_guessed_at() {
        for (content_type, body) in [
            ("application/json", "{"),
            ("text/xml", "<a><b></a>"),
            ("text/xml", "<a>&unknown;</a>"),
            ("text/xml", ""),
            ("text/html", "<a/>"),
            ("text/xml", &"<a>".repeat(DEPTH + 1)),
        ] {
            assert_eq!(
                read_as(content_type, body),
                Err(AnswerError::Malformed),
                "{body}"
            );
        }
        assert_eq!(read_encoded("br", b"{}"), Err(AnswerError::Encoded));
        assert_eq!(read_encoded("gzip, br", b"{}"), Err(AnswerError::Encoded));
        assert_eq!(read_encoded("gzip", b"{}"), Err(AnswerError::Malformed));
    }

    fn read_encoded(encoding: &str, body: &[u8]) -> Result<Value, AnswerError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        headers.insert(CONTENT_ENCODING, encoding.parse().unwrap());
        read_answer(&headers, &Bytes::copy_from_slice(body))
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn compressed_answer_and_byte_order_mark_are_read() {
        let wanted = serde_json::json!({ "RequestId": "1" });
        let text = br#"{"RequestId":"1"}"#;
        let marked = [BYTE_ORDER_MARK, text].concat();
        assert_eq!(read_encoded("identity", &marked), Ok(wanted.clone()));
        assert_eq!(read_encoded("GZIP", &gzip(&marked)), Ok(wanted.clone()));
        let marked_xml = "\u{feff}<?xml version='1.0'?><R><RequestId>1</RequestId></R>";
        assert_eq!(read_as("text/xml", marked_xml), Ok(wanted));
    }

    #[test]
    fn compressed_answer_is_bounded_when_it_is_decompressed() {
        let text = |spaces: u64| {
            let spaces = vec![b' '; usize::try_from(spaces).unwrap()];
            gzip(&[spaces.as_slice(), b"{}"].concat())
        };
        let longest = LONGEST_TEXT - 2;
        assert!(read_encoded("gzip", &text(longest)).is_ok());
        let bomb = text(longest + 1);
        assert!(bomb.len() < 100_000);
        assert_eq!(read_encoded("gzip", &bomb), Err(AnswerError::Malformed));
    }
}
