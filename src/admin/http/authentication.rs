//! Authentication: an operator is known by a bearer token (RFC 6750) or by the client certificate of the connection,
//! and each endpoint asks for the role it needs.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum_server::tls::TlsInfo;
use http::{header::AUTHORIZATION, request::Parts};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{context::AdminApi, http::problem::Problem};
use akgate_api::operators::{Right, Role};
use akgate_net::peer::Peer;
use akgate_state::{
    audit::Actor,
    directory::with_timeout,
    operators::{
        Operator,
        certificate::certificate_operator as holder_of,
        login::{LoginFault, authenticate_token, find_certificate_operator},
        token::OperatorToken,
    },
};

/// Declares an extractor that accepts only operators with a given right, and the part of the operator that it returns.
macro_rules! extractor_of_right {
    ($(#[$meta:meta])* $name:ident($taken:ty), $right:ident, $take:expr) => {
        $(#[$meta])*
        pub struct $name(pub $taken);

        impl FromRequestParts<AdminApi> for $name {
            type Rejection = Problem;

            async fn from_request_parts(
                parts: &mut Parts,
                admin: &AdminApi,
            ) -> Result<Self, Problem> {
                let operator = authorize(parts, admin, Right::$right).await?;
                let take: fn(&Operator) -> $taken = $take;
                Ok(Self(take(&operator)))
            }
        }
    };
}

extractor_of_right! {
    /// An operator who may read.
    CanRead(Operator), Read, Operator::clone
}

extractor_of_right! {
    /// An operator who may act.
    CanAct(Actor), Act, Operator::actor
}

extractor_of_right! {
    /// An operator who may decide what others ask for.
    CanApprove(Actor), Approve, Operator::actor
}

extractor_of_right! {
    /// An operator who may manage operators.
    CanManage(Actor), Manage, Operator::actor
}

extractor_of_right! {
    /// A program that reads notices and reports bounces.
    CanServe(()), Serve, |_| ()
}

async fn authorize(parts: &Parts, admin: &AdminApi, right: Right) -> Result<Operator, Problem> {
    let operator = authenticate_operator(parts, admin).await?;
    match operator.role.may(right) {
        true => Ok(operator),
        false => Err(Problem::forbidden(operator.role, right)),
    }
}

/// Authenticates the caller by token or certificate, once per request.
pub(super) async fn authenticate_operator(
    parts: &Parts,
    admin: &AdminApi,
) -> Result<Operator, Problem> {
    if let Some(operator) = parts.extensions.get::<Operator>() {
        return Ok(operator.clone());
    }
    // A token that has ended stays ended, though a clock steps back.
    let now = admin.latest.see(admin.clock.now());
    let holder = certificate_holder(parts, now)?;
    let operator = match (bearer_token(parts)?, &holder) {
        (Some(token), _) => {
            let peer = parts.extensions.get::<Peer>().copied().unwrap_or_default();
            with_timeout(
                admin.timeout,
                authenticate_token(&admin.pool, &token, peer.ip, now),
            )
            .await
        }
        (None, Some(name)) => {
            with_timeout(admin.timeout, find_certificate_operator(&admin.pool, name)).await
        }
        (None, None) => {
            return Err(Problem::unauthorized(format!(
                "Send `Authorization: Bearer akg_…`; get a token with {}.",
                admin.maker()
            )));
        }
    };
    let operator = operator.map_err(|refused| login_refused_problem(refused, admin, now))?;
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

impl AdminApi {
    /// How a person gets a token: the hint for a refused request.
    fn maker(&self) -> &'static str {
        match self.settings.sign_in {
            Some(_) => "`akgate login`",
            None => "an admin's `akgate operators token`",
        }
    }
}

/// The operator whom the connection's client certificate names, if it has one.
fn certificate_holder(parts: &Parts, now: OffsetDateTime) -> Result<Option<String>, Problem> {
    let tls = parts.extensions.get::<Arc<TlsInfo>>();
    let shown = tls.and_then(|tls| tls.peer_certificates.first());
    let holder = shown.map(|certificate| holder_of(certificate, now));
    holder
        .transpose()
        .map_err(|fault| Problem::unauthorized(fault.to_string()))
}

fn bearer_token(parts: &Parts) -> Result<Option<OperatorToken>, Problem> {
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
    OperatorToken::parse(token)
        .map(Some)
        .map_err(|fault| Problem::unauthorized(fault.to_string()))
}

fn login_refused_problem(refused: LoginFault, admin: &AdminApi, now: OffsetDateTime) -> Problem {
    match refused {
        LoginFault::Wrong => {
            Problem::unauthorized("The token or the certificate belongs to no operator.")
        }
        LoginFault::Revoked => {
            Problem::unauthorized("The token was revoked: ask an admin for a new one.")
        }
        LoginFault::Expired(at) => Problem::unauthorized(format!(
            "The token expired at {}: get a new one with {}.",
            at.format(&Rfc3339).unwrap_or_default(),
            admin.maker()
        )),
        LoginFault::TooMany { until } => Problem::too_many_guesses(until - now),
        LoginFault::State(fault) => fault.into(),
    }
}
