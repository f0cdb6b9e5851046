//! Who asks: an operator, by bearer token (RFC 6750).

use axum::extract::FromRequestParts;
use http::{header::AUTHORIZATION, request::Parts};

use super::{Admin, Problem};
use crate::{
    audit::Actor,
    directory::within,
    operator::{Operator, Role, store, token::Token},
};

/// An operator who may read.
pub struct Reader;

/// An operator who may act.
pub struct Acting(pub Actor);

/// A program that reads notices and reports bounces.
pub struct Service;

impl FromRequestParts<Admin> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
        match operator(parts, admin).await?.role {
            Role::Viewer | Role::Operator => Ok(Self),
            Role::Service => Err(Problem::forbidden()),
        }
    }
}

impl FromRequestParts<Admin> for Acting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
        let operator = operator(parts, admin).await?;
        match operator.role {
            Role::Operator => Ok(Self(Actor::Operator(operator.name))),
            Role::Viewer | Role::Service => Err(Problem::forbidden()),
        }
    }
}

impl FromRequestParts<Admin> for Service {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
        match operator(parts, admin).await?.role {
            Role::Service => Ok(Self),
            Role::Viewer | Role::Operator => Err(Problem::forbidden()),
        }
    }
}

async fn operator(parts: &Parts, admin: &Admin) -> Result<Operator, Problem> {
    let token = parts
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| {
            Problem::unauthorized(
                "Send `Authorization: Bearer akg_…`; `akgate operators add` makes a token.",
            )
        })?;
    let token = Token::parse(token).map_err(|fault| Problem::unauthorized(fault.to_string()))?;
    within(admin.timeout, store::find(&admin.pool, &token))
        .await?
        .ok_or_else(|| Problem::unauthorized("The token is nobody's, or was revoked."))
}
