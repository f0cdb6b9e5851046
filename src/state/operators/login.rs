//! Whose token, or certificate, it is.

use std::net::IpAddr;

use sqlx::PgPool;
use subtle::ConstantTimeEq;
use time::{Duration, OffsetDateTime};

use super::{
    Operator, Role,
    guesses::{self, Budget, PER_TOKEN, WINDOW, give_back, take},
    store::parse,
    token::Token,
};
use crate::directory::StateFault;

/// For how long a place where a token was good is familiar.
const FAMILIAR: Duration = Duration::days(1);

/// How precisely its last use is known: a use is no write each time.
const PRECISION: Duration = Duration::MINUTE;

/// Why a token opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum LoginRefused {
    /// It is nobody's.
    #[error("the token belongs to no operator")]
    Wrong,
    /// It, or its operator, was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// Its time is over.
    #[error("the token has expired")]
    Expired(OffsetDateTime),
    /// Too many were wrong: it was not looked at.
    #[error("too many wrong tokens")]
    TooMany {
        /// When the next one is.
        until: OffsetDateTime,
    },
    /// The database gives no answer.
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<sqlx::Error> for LoginRefused {
    fn from(fault: sqlx::Error) -> Self {
        Self::State(fault.into())
    }
}

/// After which time the same token is looked at again: a count may be that of requests with a good one that are being
/// looked at, the first from a new place, and is taken back in a moment.
const AGAIN: [std::time::Duration; 3] = [
    std::time::Duration::from_millis(20),
    std::time::Duration::from_millis(60),
    std::time::Duration::from_millis(180),
];

/// The operator whose token this is. Guesses are counted as [`guesses`] says.
///
/// # Errors
/// [`LoginRefused`].
pub async fn login(
    pool: &PgPool,
    token: &Token,
    from: IpAddr,
    now: OffsetDateTime,
) -> Result<Operator, LoginRefused> {
    for wait in AGAIN {
        match look(pool, token, from, now).await {
            Err(LoginRefused::TooMany { .. }) => tokio::time::sleep(wait).await,
            looked => return looked,
        }
    }
    look(pool, token, from, now).await
}

async fn look(
    pool: &PgPool,
    token: &Token,
    from: IpAddr,
    now: OffsetDateTime,
) -> Result<Operator, LoginRefused> {
    let source = guesses::source(from);
    let row = sqlx::query!(
        "SELECT
             o.operator_id,
             o.name,
             o.role AS operator_role,
             t.role AS token_role,
             t.token_sha256,
             t.expires_at,
             COALESCE(o.revoked_at, t.revoked_at) AS revoked_at,
             s.last_good_at AS \"last_good_at?\",
             COALESCE(g.wrong, 0) AS \"wrong_here!\"
         FROM operator_tokens t
         JOIN operators o USING (operator_id)
         LEFT JOIN token_sources s ON s.token_id = t.token_id AND s.source = $2
         LEFT JOIN token_guesses g
             ON g.subject = 'token ' || t.token_id || ' from ' || $2 AND g.since > $3
         WHERE t.token_id = $1",
        token.id(),
        source,
        now - WINDOW
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else {
        return Err(wrong(pool, &Budget::of_source(&source), now).await);
    };
    let is_good = || -> bool { token.digest().ct_eq(row.token_sha256.as_slice()).into() };
    let is_familiar = row.last_good_at.is_some_and(|at| at > now - FAMILIAR);
    if is_familiar && row.wrong_here < PER_TOKEN {
        if !is_good() {
            return Err(wrong(pool, &Budget::of_familiar(token.id(), &source), now).await);
        }
    } else {
        let budget = Budget::of_token(token.id(), &source);
        if let Err(until) = take(pool, &budget, now).await? {
            return Err(LoginRefused::TooMany { until });
        }
        if !is_good() {
            return Err(LoginRefused::Wrong);
        }
        give_back(pool, &budget).await?;
    }
    if row.revoked_at.is_some() {
        return Err(LoginRefused::Revoked);
    }
    if row.expires_at <= now {
        return Err(LoginRefused::Expired(row.expires_at));
    }
    if row.last_good_at.is_none_or(|at| at <= now - PRECISION) {
        note(pool, token.id(), &source, from, now).await?;
    }
    Ok(Operator {
        operator_id: row.operator_id,
        name: row.name,
        role: parse(&row.operator_role)?.min(parse(&row.token_role)?),
        token_id: Some(token.id().to_owned()),
    })
}

/// The operator whom a certificate names: a person, since programs have tokens.
///
/// # Errors
/// [`LoginRefused::Wrong`] and [`LoginRefused::State`].
pub async fn by_certificate(pool: &PgPool, name: &str) -> Result<Operator, LoginRefused> {
    let row = sqlx::query!(
        "SELECT operator_id, role
         FROM operators
         WHERE name = $1
           AND revoked_at IS NULL",
        name
    )
    .fetch_optional(pool)
    .await?
    .ok_or(LoginRefused::Wrong)?;
    match parse(&row.role)? {
        Role::Service => Err(LoginRefused::Wrong),
        role => Ok(Operator {
            operator_id: row.operator_id,
            name: name.to_owned(),
            role,
            token_id: None,
        }),
    }
}

async fn wrong(pool: &PgPool, budget: &Budget, now: OffsetDateTime) -> LoginRefused {
    match take(pool, budget, now).await {
        Ok(Ok(())) => LoginRefused::Wrong,
        Ok(Err(until)) => LoginRefused::TooMany { until },
        Err(fault) => fault.into(),
    }
}

/// Notes that a token was good, and where.
async fn note(
    pool: &PgPool,
    token_id: &str,
    source: &str,
    from: IpAddr,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "WITH used AS (
             UPDATE operator_tokens
             SET last_used_at = $3,
                 last_used_from = $4
             WHERE token_id = $1
         )
         INSERT INTO token_sources (token_id, source, last_good_at)
         VALUES ($1, $2, $3)
         ON CONFLICT (token_id, source) DO UPDATE
         SET last_good_at = $3",
        token_id,
        source,
        now,
        from.to_string()
    )
    .execute(pool)
    .await?;
    Ok(())
}
