//! The error envelope that every SDK reads.

use bytes::Bytes;
use http::{HeaderValue, Response, header::CONTENT_TYPE};
use quick_xml::escape::escape;
use serde::Serialize;

use akgate_rules::{fault::Fault, request::format::ErrorFormat};

/// The members of an error body. All are strings, because two SDKs panic on anything else.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    request_id: &'a str,
    host_id: &'a str,
    code: &'a str,
    message: &'a str,
    recommend: &'a str,
}

/// Writes the answer to a refused call.
///
/// `request_id` is an upper-case UUID, `host_id` the host that the caller asked, `recommend` a link to
/// a page that says what to do.
#[must_use]
pub fn render_fault(
    fault: &Fault,
    format: ErrorFormat,
    request_id: &str,
    host_id: &str,
    recommend: &str,
) -> Response<Bytes> {
    let envelope = Envelope {
        request_id,
        host_id,
        code: &fault.code(),
        message: &fault.message(),
        recommend,
    };
    let (content_type, body) = match format {
        ErrorFormat::Json => (
            HeaderValue::from_static("application/json;charset=utf-8"),
            // Texts alone always serialise.
            serde_json::to_vec(&envelope).unwrap_or_default(),
        ),
        ErrorFormat::Xml => (
            HeaderValue::from_static("text/xml;charset=utf-8"),
            envelope.xml().into_bytes(),
        ),
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = fault.status();
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

impl Envelope<'_> {
    fn xml(&self) -> String {
        let element = |name: &str, text: &str| {
            let printable: String = text
                .chars()
                .filter(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r'))
                .collect();
            format!("<{name}>{}</{name}>", escape(&printable))
        };
        format!(
            "<?xml version='1.0' encoding='UTF-8'?><Error>{}{}{}{}{}</Error>",
            element("RequestId", self.request_id),
            element("HostId", self.host_id),
            element("Code", self.code),
            element("Message", self.message),
            element("Recommend", self.recommend),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leak_refusal_is_the_contract() {
        let response = render_fault(
            &Fault::LeakRisk,
            ErrorFormat::Json,
            "ID",
            "ram.aliyuncs.com",
            "https://a/",
        );
        assert_eq!(response.status(), 403);
        assert_eq!(
            response.headers()[CONTENT_TYPE],
            "application/json;charset=utf-8"
        );
        assert_eq!(
            response.body(),
            r#"{"RequestId":"ID","HostId":"ram.aliyuncs.com","Code":"Forbidden","Message":"There is a risk of leakage of this AccessKey.","Recommend":"https://a/"}"#
        );
    }

    #[test]
    fn xml_body_escapes_what_the_caller_sent() {
        let fault = Fault::parameter("<b>\u{1}", "it is given more than once");
        let response = render_fault(&fault, ErrorFormat::Xml, "ID", "h", "r");
        assert_eq!(response.headers()[CONTENT_TYPE], "text/xml;charset=utf-8");
        assert_eq!(
            response.body(),
            "<?xml version='1.0' encoding='UTF-8'?><Error><RequestId>ID</RequestId><HostId>h</HostId>\
             <Code>InvalidParameter</Code><Message>The specified parameter &quot;&lt;b&gt;&quot; is not \
             valid: it is given more than once.</Message><Recommend>r</Recommend></Error>"
        );
    }
}
