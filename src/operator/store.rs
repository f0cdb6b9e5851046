//! Operators in Postgres.

use rand::CryptoRng;
use sqlx::PgPool;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use super::{Operator, Role, token::Token};
use crate::{
    audit::{self, Actor, Deed, Entry},
    directory::StateFault,
};

/// Why an operator is not added.
#[derive(Debug, thiserror::Error)]
pub enum AddFault {
    /// There is one of that name.
    #[error("there is an operator of that name already")]
    NameTaken,
    /// The database does not do it.
    #[error(transparent)]
    State(#[from] StateFault),
}

/// Adds an operator; gives the token, which is shown once.
///
/// # Errors
/// [`AddFault`]; nobody is added then.
pub async fn add(
    pool: &PgPool,
    name: &str,
    role: Role,
    now: OffsetDateTime,
    rng: &mut (impl CryptoRng + Send),
) -> Result<Token, AddFault> {
    let token = Token::make(rng);
    let mut tx = pool.begin().await.map_err(StateFault::from)?;
    let added = sqlx::query!(
        "INSERT INTO operators (
             operator_id,
             name,
             role,
             token_sha256,
             created_at
         )
         VALUES ($1, $2, $3, $4, $5)",
        token.id(),
        name,
        role.as_str(),
        &token.digest()[..],
        now
    )
    .execute(&mut *tx)
    .await
    .map_err(StateFault::from);
    match added {
        Err(fault) if fault.constraint() == Some("operators_name_key") => {
            return Err(AddFault::NameTaken);
        }
        added => added?,
    };
    audit::write(
        &mut tx,
        Entry {
            at: now,
            actor: &Actor::Akgate,
            deed: Deed::AddOperator,
            access_key_id: None,
            restriction_id: None,
            detail: serde_json::json!({ "name": name, "role": role }),
        },
    )
    .await?;
    tx.commit().await.map_err(StateFault::from)?;
    Ok(token)
}

/// The operator whose token this is; `None` where it is nobody's, or revoked.
///
/// # Errors
/// [`StateFault`].
pub async fn find(pool: &PgPool, token: &Token) -> Result<Option<Operator>, StateFault> {
    let row = sqlx::query!(
        "SELECT name, role, token_sha256
         FROM operators
         WHERE operator_id = $1
           AND revoked_at IS NULL",
        token.id()
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let role = row.role.parse().map_err(|_| StateFault::Corrupt("role"))?;
    let good: bool = token.digest().ct_eq(row.token_sha256.as_slice()).into();
    Ok(good.then_some(Operator {
        name: row.name,
        role,
    }))
}
