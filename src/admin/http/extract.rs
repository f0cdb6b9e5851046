//! Bodies, queries and paths whose faults are problems with a clear detail.

use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::http::problem::Problem;
use akgate_rules::text_enum::UnknownName;

/// A JSON body.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::invalid(rejection.body_text())),
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
            Err(rejection) => Err(Problem::invalid(rejection.body_text())),
        }
    }
}

/// A part of the path.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        reject_nul(parts.uri.path())?;
        for part in parts.uri.path().split('/') {
            check_parameter_length(
                "path",
                &percent_encoding::percent_decode_str(part).decode_utf8_lossy(),
            )?;
        }
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::invalid(rejection.body_text())),
        }
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

/// A text of PostgreSQL's holds no NUL: nothing is called like that.
fn reject_nul(encoded: &str) -> Result<(), Problem> {
    match encoded.contains("%00") {
        true => Err(Problem::invalid("The URL contains a NUL character (%00).")),
        false => Ok(()),
    }
}

/// Checks a text of an operator or a source: something must be there, nothing may break a line, and it
/// must not be longer than `longest` characters.
pub fn check_text(name: &str, given: &str, longest: usize) -> Result<(), Problem> {
    let length = given.chars().count();
    if given.trim().is_empty() || length > longest {
        return Err(Problem::invalid(format!(
            "`{name}` must have 1 to {longest} characters; it has {length}."
        )));
    }
    if given.chars().any(char::is_control) {
        return Err(Problem::invalid(format!(
            "`{name}` contains a control character."
        )));
    }
    Ok(())
}

/// Reads the name of a value, if one is given; the problem lists the names that there are.
pub fn choice<T: FromStr<Err = UnknownName>>(
    name: &str,
    given: Option<&str>,
) -> Result<Option<T>, Problem> {
    given.map(str::parse).transpose().map_err(|unknown| {
        let UnknownName { names, .. } = unknown;
        let names = match names {
            [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            names => names.join(", "),
        };
        Problem::invalid(format!("`{name}` must be {names}."))
    })
}

/// How many a page holds: 50 where nothing else is asked for.
pub fn checked_page_size(asked: Option<i64>, most: i64) -> Result<i64, Problem> {
    let size = asked.unwrap_or(50);
    if (1..=most).contains(&size) {
        Ok(size)
    } else {
        Err(Problem::invalid(format!(
            "`page_size` must be 1 to {most}."
        )))
    }
}

/// Cuts what was read, one more than a page holds, to the page; gives the token of the next one.
pub fn paginate<T, I>(read: &mut Vec<T>, size: i64, id: impl Fn(&T) -> I) -> Option<I> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let more = read.len() > size;
    read.truncate(size);
    read.last().filter(|_| more).map(id)
}
