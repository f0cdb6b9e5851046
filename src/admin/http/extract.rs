//! Extractors of bodies, queries and paths that report their faults as problem details.

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use http::request::Parts;
use serde::de::{DeserializeOwned, IntoDeserializer, value::StrDeserializer};

use crate::http::{problem::Problem, verbs::CustomMethod};

/// A JSON body.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(invalid_request(&rejection.body_text())),
        }
    }
}

/// A query.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        reject_nul(query)?;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            check_parameter_length(&name, &value)?;
        }
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(invalid_request(&rejection.body_text())),
        }
    }
}

/// The one parameter of the path, without the custom method behind it.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        reject_nul(parts.uri.path())?;
        for part in parts.uri.path().split('/') {
            check_parameter_length(
                "path",
                &percent_encoding::percent_decode_str(part).decode_utf8_lossy(),
            )?;
        }
        let parameters = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::invalid(rejection.body_text()))?;
        let (name, value) = parameters.iter().next().unwrap_or_default();
        let value = match parts.extensions.get::<CustomMethod>() {
            Some(CustomMethod(method)) => strip_method(value, method),
            None => value,
        };
        let value: StrDeserializer<'_, serde::de::value::Error> = value.into_deserializer();
        T::deserialize(value)
            .map(Self)
            .map_err(|fault| invalid_value(name, &fault.to_string()))
    }
}

fn strip_method<'a>(value: &'a str, method: &str) -> &'a str {
    let before = value.strip_suffix(method);
    before
        .and_then(|before| before.strip_suffix(':'))
        .unwrap_or(value)
}

/// The problem details of an invalid value.
fn invalid_value(name: &str, fault: &str) -> Problem {
    let separator = if fault.starts_with("must ") { "" } else { ":" };
    Problem::invalid(format!("`{name}`{separator} {fault}."))
}

/// The problem details of a query or body that cannot be read; axum writes `PREFACE: NAME: FAULT`, and the place in a
/// body.
fn invalid_request(rejection: &str) -> Problem {
    let after_preface = rejection.split_once(": ").map(|(_, rest)| rest);
    match after_preface.and_then(|rest| rest.split_once(": ")) {
        Some((name, fault)) if fault.starts_with("must ") => {
            let fault = fault.split(" at line ").next().unwrap_or(fault);
            invalid_value(name, fault)
        }
        _ => Problem::invalid(rejection),
    }
}

/// The longest value of a parameter, in characters: no id, name or address to look for is longer.
pub const MAX_PARAMETER_CHARS: usize = 256;

fn check_parameter_length(name: &str, value: &str) -> Result<(), Problem> {
    let length = value.chars().count();
    match length > MAX_PARAMETER_CHARS {
        true => Err(Problem::invalid(format!(
            "`{name}` may have at most {MAX_PARAMETER_CHARS} characters; it has {length}."
        ))),
        false => Ok(()),
    }
}

/// PostgreSQL stores no NUL characters, so nothing has such a name.
fn reject_nul(encoded: &str) -> Result<(), Problem> {
    match encoded.contains("%00") {
        true => Err(Problem::invalid("The URL contains a NUL character (%00).")),
        false => Ok(()),
    }
}
