//! Who asks: an operator, by bearer token (RFC 6750), and how far their role goes.

use axum::extract::FromRequestParts;
use http::{header::AUTHORIZATION, request::Parts};
use time::format_description::well_known::Rfc3339;

use super::{Admin, Problem};
use crate::{
    audit::Actor,
    directory::within,
    operator::{
        Operator, Right,
        login::{LoginRefused, login},
        token::Token,
    },
    peer::Peer,
};

/// An operator who may read.
pub struct Reader(pub Operator);

/// An operator who may act.
pub struct Acting(pub Actor);

/// An operator who may decide what others ask for.
pub struct Approving(pub Operator);

/// An operator who may manage operators.
pub struct Managing(pub Actor);

/// A program that reads notices and reports bounces.
pub struct Service;

impl FromRequestParts<Admin> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
        allowed(parts, admin, Right::Read).await.map(Self)
    }
}

impl FromRequestParts<Admin> for Acting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
        let operator = allowed(parts, admin, Right::Act).await?;
        Ok(Self(operator.actor()))
    }
}

impl FromRequestParts<Admin> for Approving {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
        allowed(parts, admin, Right::Approve).await.map(Self)
    }
}

impl FromRequestParts<Admin> for Managing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
        let operator = allowed(parts, admin, Right::Manage).await?;
        Ok(Self(operator.actor()))
    }
}

impl FromRequestParts<Admin> for Service {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
        allowed(parts, admin, Right::Serve).await.map(|_| Self)
    }
}

async fn allowed(parts: &Parts, admin: &Admin, right: Right) -> Result<Operator, Problem> {
    let operator = operator(parts, admin).await?;
    match operator.role.may(right) {
        true => Ok(operator),
        false => Err(Problem::forbidden(operator.role, right)),
    }
}

/// Who asks, by the token; asked once for each request.
pub(super) async fn operator(parts: &Parts, admin: &Admin) -> Result<Operator, Problem> {
    if let Some(operator) = parts.extensions.get::<Operator>() {
        return Ok(operator.clone());
    }
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
    let peer = parts.extensions.get::<Peer>().copied().unwrap_or_default();
    let now = admin.clock.now();
    let login = login(&admin.pool, &token, peer.ip, now);
    within(admin.timeout, login)
        .await
        .map_err(|refused| match refused {
            LoginRefused::Wrong => Problem::unauthorized("The token is nobody's."),
            LoginRefused::Revoked => {
                Problem::unauthorized("The token was revoked: ask an admin for another one.")
            }
            LoginRefused::Expired(at) => Problem::unauthorized(format!(
                "The token has expired at {}: ask an admin for another one.",
                at.format(&Rfc3339).unwrap_or_default()
            )),
            LoginRefused::TooMany { until } => Problem::too_many_guesses(until - now),
            LoginRefused::State(fault) => fault.into(),
        })
}
