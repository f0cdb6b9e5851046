//! Imposing a restriction: what every road that restricts a key has in common.

use sqlx::PgTransaction;
use uuid::Uuid;

use crate::{
    access_key::AccessKeyId,
    audit::{self, Actor, Deed, Entry},
    directory::{StateFault, revision::At},
    outbox,
    restriction::Cause,
};

/// A restriction to be imposed.
pub(super) struct Imposition<'a> {
    pub access_key_id: &'a AccessKeyId,
    /// The account that is written to; `None` where nobody knows the key.
    pub account_id: Option<&'a str>,
    pub cause: Cause,
    pub actor: &'a Actor,
    pub at: At,
}

/// Writes restriction, audit record and letters; gives the restriction's id.
pub(super) async fn impose(
    tx: &mut PgTransaction<'_>,
    imposition: Imposition<'_>,
) -> Result<Uuid, StateFault> {
    let Imposition {
        access_key_id,
        account_id,
        cause,
        actor,
        at,
    } = imposition;
    let id = Uuid::now_v7();
    sqlx::query!(
        "INSERT INTO restrictions (
             restriction_id,
             access_key_id,
             state,
             cause,
             imposed_at,
             revision
         )
         VALUES ($1, $2, 'Imposed', $3, $4, $5)",
        id,
        access_key_id.as_str(),
        cause.as_str(),
        at.now,
        at.revision
    )
    .execute(&mut **tx)
    .await?;
    audit::write(
        tx,
        Entry {
            at: at.now,
            actor,
            deed: Deed::Impose,
            access_key_id: Some(access_key_id),
            restriction_id: Some(id),
            detail: serde_json::json!({ "cause": cause }),
        },
    )
    .await?;
    outbox::impose(tx, id, account_id, at.now).await?;
    Ok(id)
}

/// The restriction of a key that is in force.
pub(super) async fn in_force(
    tx: &mut PgTransaction<'_>,
    access_key_id: &AccessKeyId,
) -> Result<Option<Uuid>, StateFault> {
    let id = sqlx::query_scalar!(
        "SELECT restriction_id
         FROM restrictions
         WHERE access_key_id = $1
           AND state <> 'Lifted'",
        access_key_id.as_str()
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(id)
}
