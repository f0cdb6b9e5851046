//! `ETag` and `If-Match` (RFC 9110 sections 8.8.3 and 13.1.1): a change can be made conditional on the state that its
//! operator has read.

use axum::{
    Json,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue,
    header::{ETAG, IF_MATCH},
    request::Parts,
};
use serde::Serialize;
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, Required, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

use crate::{context::AdminApi, http::problem::Problem};
use akgate_api::receipts::{Changed, Receipt};
use akgate_state::restrictions::etag::Etag;

/// A response with its ETag.
pub struct WithEtag<T>(pub T);

impl<T: Serialize> IntoResponse for WithEtag<T> {
    fn into_response(self) -> Response {
        let tag = compute_etag(&self.0);
        insert_etag(Json(self.0).into_response(), tag)
    }
}

impl<T: Serialize> WithEtag<T> {
    /// The response to a change, with the ETag of the changed resource.
    pub fn with_receipt(self, receipt: Receipt) -> Response {
        let tag = compute_etag(&self.0);
        let changed = Changed {
            view: self.0,
            receipt: Some(receipt),
        };
        insert_etag(Json(changed).into_response(), tag)
    }
}

fn compute_etag(view: &impl Serialize) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{}\"", Etag::of(view).as_str())).ok()
}

fn insert_etag(mut response: Response, tag: Option<HeaderValue>) -> Response {
    if let Some(tag) = tag {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// The `If-Match` header: the state that the operator has read; `None` if the request has no such header.
pub struct IfMatch(pub Option<Vec<Etag>>);

impl FromRequestParts<AdminApi> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AdminApi) -> Result<Self, Problem> {
        let mut seen = Vec::new();
        let mut is_any = true;
        for given in parts.headers.get_all(IF_MATCH) {
            let given = given.to_str().unwrap_or_default();
            for tag in given.split(',').map(str::trim) {
                if tag == "*" {
                    return Ok(Self(None));
                }
                is_any = false;
                seen.extend(parse_etag(tag));
            }
        }
        Ok(Self((!is_any).then_some(seen)))
    }
}

/// Parses an ETag of akgate. Anything else, including a weak tag, matches no state.
fn parse_etag(tag: &str) -> Option<Etag> {
    Etag::parse(tag.strip_prefix('"')?.strip_suffix('"')?)
}

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(34))
            .max_length(Some(34))
            .pattern(Some("^\"[0-9a-f]{32}\"$"));
        let parameter = ParameterBuilder::new()
            .name("If-Match")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "The ETag that you read. The request fails with 412 if the resource has changed since then.",
            ))
            .schema(Some(schema));
        vec![parameter.build()]
    }
}
