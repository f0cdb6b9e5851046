//! The form that calls of a product have. RPC products take one path, two methods and two types of bodies; whatever else a
//! caller could sign, an upstream may understand in its own way.

use http::Method;

use super::{ApiRequest, body::BodyType};
use crate::{fault::Fault, signature::Scheme};

/// How a product's operations are called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CallStyle {
    /// All at `/`; the action has a name.
    #[default]
    Rpc,
    /// Each at a path and method of its own.
    Roa,
}

/// The parameters of the protocol itself.
const PROTOCOL_PARAMETERS: [&str; 11] = [
    "AccessKeyId",
    "Action",
    "Format",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
    "Timestamp",
    "Version",
];

/// Checks that a call has the form of its product.
///
/// # Errors
/// For the RPC style: [`Fault::ApiNotFound`] for a path other than `/`, [`Fault::UnsupportedHttpMethod`] for a method
/// other than `GET` and `POST`, [`Fault::InvalidParameter`] for a body that is neither form nor JSON and for a parameter
/// that some servers take for one of the protocol.
pub fn check_style(request: &ApiRequest, style: CallStyle) -> Result<(), Fault> {
    match style {
        CallStyle::Roa => Ok(()),
        CallStyle::Rpc => check_rpc(request),
    }
}

fn check_rpc(request: &ApiRequest) -> Result<(), Fault> {
    if request.path != "/" {
        return Err(Fault::ApiNotFound);
    }
    if !matches!(request.method, Method::GET | Method::POST) {
        return Err(Fault::UnsupportedHttpMethod);
    }
    let (body, content_type) = match &request.scheme {
        // Printed as a form.
        Scheme::Rpc(_) => (&[][..], None),
        Scheme::Roa(roa) => (&*roa.body, Some(roa.content_type.as_str())),
        Scheme::Acs3(acs3) => (&*acs3.body, acs3.signed_header("content-type")),
    };
    if !body.is_empty() && BodyType::read(content_type)? == BodyType::Other {
        return Err(Fault::parameter(
            "Content-Type",
            "the body must be a form (application/x-www-form-urlencoded) or JSON (application/json)",
        ));
    }
    let mut parameters = request.parameters().iter().map(|(name, _)| name);
    let parameter = parameters.find_map(|name| {
        let twin = twin_of(name).or_else(|| is_named_like_a_header(name).then_some("a header"))?;
        (twin != name).then_some((name, twin))
    });
    let mut headers = request.forwarded_headers().iter();
    let header = || headers.find_map(|(name, _)| Some((name.as_str(), twin_of(name)?)));
    match parameter.or_else(header) {
        Some((name, twin)) => Err(Fault::parameter(
            name,
            format!("some servers take it for {twin}"),
        )),
        None => Ok(()),
    }
}

/// Whether a parameter could be taken for one of the protocol's headers, `x-acs-*`.
fn is_named_like_a_header(name: &str) -> bool {
    let folded = name.bytes().filter(u8::is_ascii_alphanumeric);
    let start = folded.take(4).map(|byte| byte.to_ascii_lowercase());
    start.eq(*b"xacs")
}

/// The parameter of the protocol that a name could be taken for: servers differ in case and in what they make of blanks,
/// brackets and other marks in names.
fn twin_of(name: &str) -> Option<&'static str> {
    let folded = || name.bytes().filter(u8::is_ascii_alphanumeric);
    PROTOCOL_PARAMETERS.into_iter().find(|protocol| {
        let wanted = protocol.bytes();
        folded()
            .map(|byte| byte.to_ascii_lowercase())
            .eq(wanted.map(|byte| byte.to_ascii_lowercase()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_that_differs_from_a_protocol_name_by_case_or_marks_alone_is_its_twin() {
        for name in [
            "action",
            "ACTION",
            "Action ",
            "Action[]",
            "_action",
            "Act.ion",
            "Action\u{e9}",
        ] {
            assert_eq!(twin_of(name), Some("Action"), "{name}");
        }
        assert_eq!(twin_of("access_key_id"), Some("AccessKeyId"));
        for name in ["Actions", "UserName", "Tag.1.Key", "PolicyVersion", "张"] {
            assert_eq!(twin_of(name), None, "{name}");
            assert!(!is_named_like_a_header(name), "{name}");
        }
        assert!(is_named_like_a_header("x-acs-action") && is_named_like_a_header("X_ACS_Action"));
    }
}
