//! Answers: one tree, written as JSON or as XML.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use quick_xml::escape::escape;
use serde_json::{Map, Value};

use super::{asked::SandboxRequest, refused::SandboxFault, shape::cut_to_model};
use akgate_rules::request::format::ErrorFormat;

/// The members of an answer beside its RequestId.
pub type ResponseBody = Map<String, Value>;

/// Makes a tree of one member.
pub fn single_member(name: &str, value: Value) -> ResponseBody {
    Map::from_iter([(name.to_owned(), value)])
}

/// Writes the answer to what was done, with the members that the action's model has.
pub fn render_response(asked: &SandboxRequest, mut tree: ResponseBody) -> Response<Bytes> {
    let identity = &asked.identity;
    cut_to_model(&identity.product, &identity.action, &mut tree);
    tree.insert("RequestId".to_owned(), identity.request_id.clone().into());
    let root = format!("{}Response", identity.action);
    build_response(asked.format, StatusCode::OK, &root, tree)
}

/// Writes the answer to what was refused.
pub fn render_fault(asked: &SandboxRequest, refused: &SandboxFault) -> Response<Bytes> {
    let identity = &asked.identity;
    let tree = fault_envelope(&identity.product, &identity.request_id, refused);
    build_response(asked.format, refused.status, "Error", tree)
}

/// Writes the answer to a request that did not come through the gateway.
pub fn render_stranger_fault(request_id: &str, refused: &SandboxFault) -> Response<Bytes> {
    build_response(
        ErrorFormat::Json,
        refused.status,
        "Error",
        fault_envelope("RAM", request_id, refused),
    )
}

/// The members of a fault, as the services have them. All are texts: two SDKs panic on anything else.
fn fault_envelope(product: &str, request_id: &str, refused: &SandboxFault) -> ResponseBody {
    let service = product.to_ascii_lowercase();
    let code = &refused.code;
    let recommend = format!(
        "https://api.aliyun.com/troubleshoot?q={code}&product={product}&requestId={request_id}"
    );
    let members = [
        ("RequestId", request_id.to_owned()),
        ("HostId", format!("{service}.aliyuncs.com")),
        ("Code", code.clone().into_owned()),
        ("Message", refused.message.clone().into_owned()),
        ("Recommend", recommend),
    ];
    let diagnosis = refused.diagnosis.clone();
    members
        .into_iter()
        .chain(diagnosis.map(|text| ("EncodedDiagnosticMessage", text)))
        .map(|(name, text)| (name.to_owned(), text.into()))
        .collect()
}

fn build_response(
    format: ErrorFormat,
    status: StatusCode,
    root: &str,
    tree: ResponseBody,
) -> Response<Bytes> {
    let (content_type, body) = match format {
        ErrorFormat::Json => (
            "application/json;charset=utf-8",
            Value::Object(tree).to_string(),
        ),
        ErrorFormat::Xml => {
            let mut body = "<?xml version='1.0' encoding='UTF-8'?>".to_owned();
            write_xml_element(&mut body, root, &Value::Object(tree));
            ("text/xml;charset=utf-8", body)
        }
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn write_xml_element(out: &mut String, name: &str, value: &Value) {
    let mut wrapped = |inner: &dyn Fn(&mut String)| {
        out.push_str(&format!("<{name}>"));
        inner(out);
        out.push_str(&format!("</{name}>"));
    };
    match value {
        // A list's elements bear its name: `{"Users":{"User":[…]}}`.
        Value::Array(items) => items
            .iter()
            .for_each(|item| write_xml_element(out, name, item)),
        Value::Object(members) => wrapped(&|out| {
            members
                .iter()
                .for_each(|(name, value)| write_xml_element(out, name, value));
        }),
        Value::String(text) => wrapped(&|out| out.push_str(&escape(text.as_str()))),
        Value::Null => wrapped(&|_| {}),
        Value::Bool(_) | Value::Number(_) => wrapped(&|out| out.push_str(&value.to_string())),
    }
}
