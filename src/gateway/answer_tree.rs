//! Reading an upstream's answer: JSON or XML by its Content-Type, into one tree.

use bytes::Bytes;
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use quick_xml::{Reader, events::Event};
use serde_json::{Map, Value};

/// Maximum nesting depth. The answers that akgate reads have three levels.
const DEPTH: usize = 32;

/// Why an answer cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It is compressed, although the request did not ask for that.
    #[error("the answer is encoded")]
    Encoded,
    /// It is neither JSON nor XML, or broken.
    #[error("the answer is neither JSON nor XML")]
    Malformed,
}

/// Reads an answer. XML's root element is left out, so that both formats give the same tree.
///
/// # Errors
/// [`AnswerError`].
pub fn read_answer(headers: &HeaderMap, body: &Bytes) -> Result<Value, AnswerError> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(AnswerError::Encoded);
    }
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_ascii_lowercase();
    if content_type.contains("json") {
        serde_json::from_slice(body).map_err(|_| AnswerError::Malformed)
    } else if content_type.contains("xml") {
        xml(body)
    } else {
        Err(AnswerError::Malformed)
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

fn xml(body: &Bytes) -> Result<Value, AnswerError> {
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
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        headers.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        assert_eq!(
            read_answer(&headers, &Bytes::from_static(b"{}")),
            Err(AnswerError::Encoded)
        );
    }
}
