//! Who asks: an operator, by bearer token (RFC 6750) or by the certificate of the connection, and how far their role goes.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum_server::tls::TlsInfo;
use http::{header::AUTHORIZATION, request::Parts};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{context::Admin, http::problem::Problem};
use akgate_api::operators::Right;
use akgate_api::operators::Role;
use akgate_net::peer::Peer;
use akgate_state::{
    audit::Actor,
    directory::within,
    operators::{
        Operator,
        certificate::holder as holder_of,
        login::{LoginRefused, by_certificate, login},
        token::Token,
    },
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

/// Who asks, by the token or the certificate; asked once for each request.
pub(super) async fn operator(parts: &Parts, admin: &Admin) -> Result<Operator, Problem> {
    if let Some(operator) = parts.extensions.get::<Operator>() {
        return Ok(operator.clone());
    }
    // A token that has ended stays ended, though a clock steps back.
    let now = admin.latest.see(admin.clock.now());
    let holder = holder(parts, now)?;
    let operator = match (bearer(parts)?, &holder) {
        (Some(token), _) => {
            let peer = parts.extensions.get::<Peer>().copied().unwrap_or_default();
            within(admin.timeout, login(&admin.pool, &token, peer.ip, now)).await
        }
        (None, Some(name)) => within(admin.timeout, by_certificate(&admin.pool, name)).await,
        (None, None) => {
            return Err(Problem::unauthorized(format!(
                "Send `Authorization: Bearer akg_…`; get a token with {}.",
                admin.maker()
            )));
        }
    };
    let operator = operator.map_err(|refused| told(refused, admin, now))?;
    match holder {
        Some(name) if name != operator.name => Err(Problem::unauthorized(
            "The token belongs to another operator than the certificate.",
        )),
        None if admin.settings.certificates && operator.role != Role::Service => {
            Err(Problem::unauthorized(
                "Operators need a client certificate here (admin.client_ca): pass `--client-cert` and `--client-key`.",
            ))
        }
        _ => Ok(operator),
    }
}

impl Admin {
    /// What a person gets a token by.
    fn maker(&self) -> &'static str {
        match self.settings.sign_in {
            Some(_) => "`akgate login`",
            None => "an admin's `akgate operators token`",
        }
    }
}

/// Whom the connection's certificate names, where it has shown one.
fn holder(parts: &Parts, now: OffsetDateTime) -> Result<Option<String>, Problem> {
    let tls = parts.extensions.get::<Arc<TlsInfo>>();
    let shown = tls.and_then(|tls| tls.peer_certificates.first());
    let holder = shown.map(|certificate| holder_of(certificate, now));
    holder
        .transpose()
        .map_err(|fault| Problem::unauthorized(fault.to_string()))
}

fn bearer(parts: &Parts) -> Result<Option<Token>, Problem> {
    let Some(given) = parts.headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let token = given
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| Problem::unauthorized("`Authorization` must be `Bearer akg_…`."))?;
    Token::parse(token)
        .map(Some)
        .map_err(|fault| Problem::unauthorized(fault.to_string()))
}

fn told(refused: LoginRefused, admin: &Admin, now: OffsetDateTime) -> Problem {
    match refused {
        LoginRefused::Wrong => {
            Problem::unauthorized("The token or the certificate belongs to no operator.")
        }
        LoginRefused::Revoked => {
            Problem::unauthorized("The token was revoked: ask an admin for a new one.")
        }
        LoginRefused::Expired(at) => Problem::unauthorized(format!(
            "The token expired at {}: get a new one with {}.",
            at.format(&Rfc3339).unwrap_or_default(),
            admin.maker()
        )),
        LoginRefused::TooMany { until } => Problem::too_many_guesses(until - now),
        LoginRefused::State(fault) => fault.into(),
    }
}
