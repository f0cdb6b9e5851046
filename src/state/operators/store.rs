//! Operators and their tokens in Postgres.

use rand::CryptoRng;
use sqlx::{PgPool, PgTransaction};
use time::{Duration, OffsetDateTime};

use super::token::OperatorToken;
use crate::{
    audit::{self, Actor, AuditAction, AuditEntry},
    directory::StateFault,
};
use akgate_api::operators::{OperatorName, OperatorView, Role, TokenView};

/// For how long a token that has ended is listed.
pub const EXPIRED_TOKEN_RETENTION: Duration = Duration::days(30);

/// Why operators are not changed.
#[derive(Debug, thiserror::Error)]
pub enum OperatorFault {
    /// An operator has this name already.
    #[error("an operator already has this name")]
    NameTaken,
    /// No operator has this name, or no token has this id.
    #[error("the operator or token does not exist, or is already revoked")]
    NotFound,
    /// The token would have a higher role than its operator.
    #[error("the operator's role is {0}: a token cannot allow more than that")]
    BeyondRole(Role),
    /// This is the last admin.
    #[error("this is the last admin: add another one first")]
    LastAdmin,
    /// The database failed.
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<sqlx::Error> for OperatorFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::State(fault.into())
    }
}

/// Whether a text can be an operator's name: names appear in paths and in the audit log.
#[must_use]
pub fn is_operator_name(text: &str) -> bool {
    OperatorName::try_from(text.to_owned()).is_ok()
}

/// A token that is wanted.
#[derive(Debug, Clone, Copy)]
pub struct NewToken {
    /// What it may do at most.
    pub role: Role,
    /// How long it lasts.
    pub lasts: Duration,
}

/// A new token, shown once and never stored.
#[derive(Debug)]
pub struct IssuedToken {
    /// What is shown once.
    pub token: OperatorToken,
    /// From when on it is worth nothing.
    pub expires_at: OffsetDateTime,
}

/// Adds an operator, with a first token that lasts so long; with none for who is known otherwise.
///
/// # Errors
/// [`OperatorFault`]; nobody is added then.
pub async fn add_operator(
    pool: &PgPool,
    name: &str,
    role: Role,
    token_lasts: Option<Duration>,
    by: &Actor,
    now: OffsetDateTime,
    rng: &mut (impl CryptoRng + Send),
) -> Result<Option<IssuedToken>, OperatorFault> {
    let token = OperatorToken::make(rng);
    let mut tx = pool.begin().await?;
    let added = sqlx::query!(
        "INSERT INTO operators (operator_id, name, role, created_at)
         VALUES ($1, $2, $3, $4)",
        token.id(),
        name,
        role.as_str(),
        now
    )
    .execute(&mut *tx)
    .await
    .map_err(StateFault::from);
    match added {
        Err(fault) if fault.constraint() == Some("operators_name_key") => {
            return Err(OperatorFault::NameTaken);
        }
        added => added?,
    };
    let operator_id = token.id().to_owned();
    let made = match token_lasts {
        Some(lasts) => {
            let new = NewToken { role, lasts };
            Some(insert_token(&mut tx, &operator_id, token, new, by, now).await?)
        }
        None => None,
    };
    let detail = serde_json::json!({ "name": name, "role": role });
    audit_operator(&mut tx, by, AuditAction::AddOperator, detail, now).await?;
    tx.commit().await?;
    Ok(made)
}

/// Makes another token for an operator.
///
/// # Errors
/// [`OperatorFault`]; there is none then.
pub async fn add_token(
    pool: &PgPool,
    name: &str,
    new: NewToken,
    by: &Actor,
    now: OffsetDateTime,
    rng: &mut (impl CryptoRng + Send),
) -> Result<IssuedToken, OperatorFault> {
    let mut tx = pool.begin().await?;
    let operator = sqlx::query!(
        "SELECT operator_id, role
         FROM operators
         WHERE name = $1
           AND revoked_at IS NULL
         FOR UPDATE",
        name
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(OperatorFault::NotFound)?;
    let role = parse_role(&operator.role)?;
    // A program's token is no person's, nor the other way round.
    if new.role > role || (new.role == Role::Service) != (role == Role::Service) {
        return Err(OperatorFault::BeyondRole(role));
    }
    let token = OperatorToken::make(rng);
    let detail = serde_json::json!({ "name": name, "token_id": token.id(), "role": new.role });
    let made = insert_token(&mut tx, &operator.operator_id, token, new, by, now).await?;
    audit_operator(&mut tx, by, AuditAction::IssueToken, detail, now).await?;
    tx.commit().await?;
    Ok(made)
}

/// Creates a token with the operator's full role for a person who has signed in at a provider; `None` if no such person
/// is an operator.
///
/// # Errors
/// [`StateFault::Database`]; there is none then.
pub async fn issue_sign_in_token(
    pool: &PgPool,
    name: &str,
    lasts: Duration,
    now: OffsetDateTime,
    rng: &mut (impl CryptoRng + Send),
) -> Result<Option<(Role, IssuedToken)>, StateFault> {
    let mut tx = pool.begin().await?;
    let Some(operator) = sqlx::query!(
        "SELECT operator_id, role
         FROM operators
         WHERE name = $1
           AND role <> 'service'
           AND revoked_at IS NULL
         FOR UPDATE",
        name
    )
    .fetch_optional(&mut *tx)
    .await?
    else {
        return Ok(None);
    };
    let role = parse_role(&operator.role)?;
    let token = OperatorToken::make(rng);
    let by = Actor::Operator(name.to_owned());
    let detail = serde_json::json!({ "name": name, "token_id": token.id(), "role": role });
    let new = NewToken { role, lasts };
    let made = insert_token(&mut tx, &operator.operator_id, token, new, &by, now).await?;
    audit_operator(&mut tx, &by, AuditAction::SignIn, detail, now).await?;
    tx.commit().await?;
    Ok(Some((role, made)))
}

/// Deletes tokens that have ended a while ago; the audit still tells of them.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn delete_expired_tokens(pool: &PgPool, now: OffsetDateTime) -> Result<(), StateFault> {
    sqlx::query!(
        "WITH ended AS (
             SELECT token_id
             FROM operator_tokens
             WHERE expires_at < $1
         ),
         sources AS (
             DELETE FROM token_sources
             WHERE token_id IN (SELECT token_id FROM ended)
         )
         DELETE FROM operator_tokens
         WHERE token_id IN (SELECT token_id FROM ended)",
        now - EXPIRED_TOKEN_RETENTION
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Ends a token.
///
/// # Errors
/// [`OperatorFault`].
pub async fn revoke_token(
    pool: &PgPool,
    token_id: &str,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<(), OperatorFault> {
    let mut tx = pool.begin().await?;
    let name = sqlx::query_scalar!(
        "UPDATE operator_tokens t
         SET revoked_at = $2,
             revoked_by = $3
         FROM operators o
         WHERE t.token_id = $1
           AND t.revoked_at IS NULL
           AND o.operator_id = t.operator_id
         RETURNING o.name",
        token_id,
        now,
        by.to_string()
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(OperatorFault::NotFound)?;
    let detail = serde_json::json!({ "name": name, "token_id": token_id });
    audit_operator(&mut tx, by, AuditAction::RevokeToken, detail, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Ends an operator with all their tokens. The name stays theirs in the audit, and is not given again.
///
/// # Errors
/// [`OperatorFault`].
pub async fn revoke_operator(
    pool: &PgPool,
    name: &str,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<(), OperatorFault> {
    let mut tx = pool.begin().await?;
    // Two admins who revoke each other at the same time wait for one another here.
    let admins = sqlx::query_scalar!(
        "SELECT name
         FROM operators
         WHERE role = 'admin'
           AND revoked_at IS NULL
         ORDER BY name
         FOR UPDATE"
    )
    .fetch_all(&mut *tx)
    .await?;
    if matches!(&admins[..], [last] if last == name) {
        return Err(OperatorFault::LastAdmin);
    }
    let operator_id = sqlx::query_scalar!(
        "UPDATE operators
         SET revoked_at = $2,
             revoked_by = $3
         WHERE name = $1
           AND revoked_at IS NULL
         RETURNING operator_id",
        name,
        now,
        by.to_string()
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(OperatorFault::NotFound)?;
    sqlx::query!(
        "UPDATE operator_tokens
         SET revoked_at = $2,
             revoked_by = $3
         WHERE operator_id = $1
           AND revoked_at IS NULL",
        operator_id,
        now,
        by.to_string()
    )
    .execute(&mut *tx)
    .await?;
    let detail = serde_json::json!({ "name": name });
    audit_operator(&mut tx, by, AuditAction::RevokeOperator, detail, now).await?;
    tx.commit().await?;
    Ok(())
}

async fn insert_token(
    tx: &mut PgTransaction<'_>,
    operator_id: &str,
    token: OperatorToken,
    new: NewToken,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<IssuedToken, StateFault> {
    let expires_at = now + new.lasts;
    sqlx::query!(
        "INSERT INTO operator_tokens (
             token_id,
             operator_id,
             role,
             token_sha256,
             created_at,
             created_by,
             expires_at
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        token.id(),
        operator_id,
        new.role.as_str(),
        &token.digest()[..],
        now,
        by.to_string(),
        expires_at
    )
    .execute(&mut **tx)
    .await?;
    Ok(IssuedToken { token, expires_at })
}

async fn audit_operator(
    tx: &mut PgTransaction<'_>,
    actor: &Actor,
    action: AuditAction,
    detail: serde_json::Value,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let entry = AuditEntry {
        at: now,
        actor,
        action,
        access_key_id: None,
        restriction_id: None,
        detail,
    };
    audit::insert_audit_record(tx, entry).await
}

pub(super) fn parse_role(role: &str) -> Result<Role, StateFault> {
    role.parse().map_err(|_| StateFault::Corrupt("role"))
}

/// Reads operators by name, after `after`; those who are revoked too.
///
/// # Errors
/// [`StateFault`].
pub async fn list_operators(
    pool: &PgPool,
    name: Option<&str>,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<OperatorView>, StateFault> {
    let operators = sqlx::query!(
        "SELECT operator_id, name, role, created_at, revoked_at
         FROM operators
         WHERE ($1::text IS NULL OR name = $1)
           AND ($2::text IS NULL OR name > $2)
         ORDER BY name
         LIMIT $3",
        name,
        after,
        limit
    )
    .fetch_all(pool)
    .await?;
    let ids: Vec<String> = operators
        .iter()
        .map(|one| one.operator_id.clone())
        .collect();
    let tokens = sqlx::query!(
        "SELECT
             operator_id,
             token_id,
             role,
             created_at,
             created_by,
             expires_at,
             revoked_at,
             last_used_at,
             last_used_from
         FROM operator_tokens
         WHERE operator_id = ANY($1)
         ORDER BY created_at DESC, token_id",
        &ids
    )
    .fetch_all(pool)
    .await?;
    let views = operators.into_iter().map(|operator| {
        let own = tokens
            .iter()
            .filter(|token| token.operator_id == operator.operator_id);
        let own = own.map(|token| {
            Ok(TokenView {
                token_id: token.token_id.clone(),
                role: parse_role(&token.role)?,
                created_at: token.created_at,
                created_by: token.created_by.clone(),
                expires_at: token.expires_at,
                revoked_at: token.revoked_at,
                last_used_at: token.last_used_at,
                last_used_from: token.last_used_from.clone(),
            })
        });
        Ok(OperatorView {
            role: parse_role(&operator.role)?,
            name: operator.name,
            created_at: operator.created_at,
            revoked_at: operator.revoked_at,
            tokens: own.collect::<Result<_, StateFault>>()?,
        })
    });
    views.collect()
}

/// How many operators may decide what takes two, and have a token for it; or need none, where people are known by a
/// certificate or a provider.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn count_approvers(
    pool: &PgPool,
    by_token_alone: bool,
    now: OffsetDateTime,
) -> Result<i64, StateFault> {
    let count = sqlx::query_scalar!(
        "SELECT count(*) AS \"count!\"
         FROM operators o
         WHERE o.revoked_at IS NULL
           AND o.role IN ('approver', 'admin')
           AND (
               NOT $2
               OR EXISTS (
                   SELECT 1
                   FROM operator_tokens t
                   WHERE t.operator_id = o.operator_id
                     AND t.role IN ('approver', 'admin')
                     AND t.revoked_at IS NULL
                     AND t.expires_at > $1
               )
           )",
        now,
        by_token_alone
    )
    .fetch_one(pool)
    .await?;
    Ok(count)
}
