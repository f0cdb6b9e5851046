//! Finds the operator of a token or a certificate.

use std::net::IpAddr;

use sqlx::PgPool;
use subtle::ConstantTimeEq;
use time::{Duration, OffsetDateTime};

use super::{
    Operator, Role,
    guesses::{self, GUESS_WINDOW, GuessBudget, MAX_PER_TOKEN, count_guess, refund_guess},
    store::parse_role,
    token::OperatorToken,
};
use crate::directory::StateFault;

/// How long an address stays known after a token worked there.
const FAMILIAR_FOR: Duration = Duration::days(1);

/// How precisely its last use is known: a use is no write each time.
const LAST_USE_PRECISION: Duration = Duration::MINUTE;

/// Why a token is refused.
#[derive(Debug, thiserror::Error)]
pub enum LoginFault {
    /// No operator has this token.
    #[error("the token belongs to no operator")]
    Wrong,
    /// It, or its operator, was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// It has expired.
    #[error("the token has expired")]
    Expired(OffsetDateTime),
    /// Too many wrong guesses: the token was not checked.
    #[error("too many wrong tokens")]
    TooMany {
        /// When the next one is.
        until: OffsetDateTime,
    },
    /// The database failed.
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<sqlx::Error> for LoginFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::State(fault.into())
    }
}

/// How soon the same token is checked again: the counted guesses may be concurrent requests with a valid token, whose
/// counts are taken back in a moment.
const RETRY_DELAYS: [std::time::Duration; 3] = [
    std::time::Duration::from_millis(20),
    std::time::Duration::from_millis(60),
    std::time::Duration::from_millis(180),
];

/// The operator whose token this is. Guesses are counted as [`guesses`] says.
///
/// # Errors
/// [`LoginFault`].
pub async fn authenticate_token(
    pool: &PgPool,
    token: &OperatorToken,
    from: IpAddr,
    now: OffsetDateTime,
) -> Result<Operator, LoginFault> {
    for wait in RETRY_DELAYS {
        match check_token(pool, token, from, now).await {
            Err(LoginFault::TooMany { .. }) => tokio::time::sleep(wait).await,
            looked => return looked,
        }
    }
    check_token(pool, token, from, now).await
}

async fn check_token(
    pool: &PgPool,
    token: &OperatorToken,
    from: IpAddr,
    now: OffsetDateTime,
) -> Result<Operator, LoginFault> {
    let source = guesses::guess_source(from);
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
        now - GUESS_WINDOW
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else {
        return Err(count_wrong_token(pool, &GuessBudget::of_source(&source), now).await);
    };
    let is_good = || -> bool { token.digest().ct_eq(row.token_sha256.as_slice()).into() };
    let is_familiar = row.last_good_at.is_some_and(|at| at > now - FAMILIAR_FOR);
    if is_familiar && row.wrong_here < MAX_PER_TOKEN {
        if !is_good() {
            return Err(count_wrong_token(
                pool,
                &GuessBudget::of_familiar(token.id(), &source),
                now,
            )
            .await);
        }
    } else {
        let budget = GuessBudget::of_token(token.id(), &source);
        if let Err(until) = count_guess(pool, &budget, now).await? {
            return Err(LoginFault::TooMany { until });
        }
        if !is_good() {
            return Err(LoginFault::Wrong);
        }
        refund_guess(pool, &budget).await?;
    }
    if row.revoked_at.is_some() {
        return Err(LoginFault::Revoked);
    }
    if row.expires_at <= now {
        return Err(LoginFault::Expired(row.expires_at));
    }
    if row
        .last_good_at
        .is_none_or(|at| at <= now - LAST_USE_PRECISION)
    {
        record_token_use(pool, token.id(), &source, from, now).await?;
    }
    Ok(Operator {
        operator_id: row.operator_id,
        name: row.name,
        role: parse_role(&row.operator_role)?.min(parse_role(&row.token_role)?),
        token_id: Some(token.id().to_owned()),
    })
}

/// The operator whom a certificate names: a person, since programs have tokens.
///
/// # Errors
/// [`LoginFault::Wrong`] and [`LoginFault::State`].
pub async fn find_certificate_operator(pool: &PgPool, name: &str) -> Result<Operator, LoginFault> {
    let row = sqlx::query!(
        "SELECT operator_id, role
         FROM operators
         WHERE name = $1
           AND revoked_at IS NULL",
        name
    )
    .fetch_optional(pool)
    .await?
    .ok_or(LoginFault::Wrong)?;
    match parse_role(&row.role)? {
        Role::Service => Err(LoginFault::Wrong),
        role => Ok(Operator {
            operator_id: row.operator_id,
            name: name.to_owned(),
            role,
            token_id: None,
        }),
    }
}

async fn count_wrong_token(pool: &PgPool, budget: &GuessBudget, now: OffsetDateTime) -> LoginFault {
    match count_guess(pool, budget, now).await {
        Ok(Ok(())) => LoginFault::Wrong,
        Ok(Err(until)) => LoginFault::TooMany { until },
        Err(fault) => fault.into(),
    }
}

/// Notes that a token was good, and where.
async fn record_token_use(
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
