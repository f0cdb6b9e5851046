//! Sessions in Postgres: each under the key that minted it, through any number of hops.

use rand::CryptoRng;
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    StateFault,
    keys::parse_key_id,
    revision::WriteStamp,
    sealing::{KeyRing, SealLocation, SealedSecret},
};
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    position::{History, Position},
};

/// A key that a session descends from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ancestor {
    /// The key, or the session between.
    pub access_key_id: AccessKeyId,
    /// Where the registry stood when it asked for its descendant: a lift after that does not free it.
    pub minted_at: Position,
}

/// What names a session, and what proves it.
#[derive(Debug, Clone)]
pub struct SessionRecord {
    /// The public part.
    pub access_key_id: AccessKeyId,
    /// The account of the role.
    pub account_id: String,
    /// ARN of the assumed role.
    pub principal: String,
    /// The secret part.
    pub secret: AccessKeySecret,
    /// SHA-256 of the token.
    pub token_sha256: [u8; 32],
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

/// A session that was just handed out.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// What names and proves it.
    pub record: SessionRecord,
    /// Who asked for it; `None` for a federated call, which no AccessKey signs.
    pub parent: Option<SessionParent>,
    /// When it was asked for.
    pub minted_at: OffsetDateTime,
    /// The call that asked for it.
    pub request_id: Uuid,
}

/// Who asked for a session.
#[derive(Debug, Clone)]
pub struct SessionParent {
    /// The key or session that signed the call, and where the registry stood at its intent.
    pub ancestor: Ancestor,
    /// Its account.
    pub account_id: String,
}

/// A session that was found, with all that its standing depends on.
#[derive(Debug, Clone)]
pub struct FoundSession {
    /// What names and proves it.
    pub record: SessionRecord,
    /// The AccessKey that it descends from, then the sessions between.
    pub ancestors: Vec<Ancestor>,
    /// Every account of the lineage.
    pub account_ids: Vec<String>,
    /// The revision at which it became known, in the history in which it was read.
    pub position: Position,
}

/// Stores a session. Its lineage is that of its parent, followed by the parent. Calling it twice changes nothing.
///
/// # Errors
/// [`StateFault::UnknownParent`] where a parent session is not known; else [`StateFault`].
pub async fn insert_session(
    tx: &mut PgTransaction<'_>,
    ring: &KeyRing,
    session: &NewSession,
    at: WriteStamp,
    rng: &mut (impl CryptoRng + Send),
) -> Result<(), StateFault> {
    let (mut ancestors, mut mint_revisions) = (Vec::new(), Vec::new());
    let mut mint_histories = Vec::new();
    let mut account_ids = vec![session.record.account_id.clone()];
    if let Some(parent) = &session.parent {
        let id = &parent.ancestor.access_key_id;
        if id.is_session() {
            let above = sqlx::query!(
                "SELECT ancestors, mint_revisions, mint_histories, account_ids
                 FROM sessions
                 WHERE access_key_id = $1",
                id.as_str()
            )
            .fetch_optional(&mut **tx)
            .await?
            .ok_or(StateFault::UnknownParent)?;
            ancestors = above.ancestors;
            mint_revisions = above.mint_revisions;
            mint_histories = above.mint_histories;
            account_ids.extend(above.account_ids);
        }
        ancestors.push(id.as_str().to_owned());
        mint_revisions.push(parent.ancestor.minted_at.revision);
        mint_histories.push(parent.ancestor.minted_at.history.0);
        account_ids.push(parent.account_id.clone());
    }
    account_ids.sort();
    account_ids.dedup();
    let record = &session.record;
    let id = record.access_key_id.as_str();
    let sealed = ring.seal(&record.secret, seal_location(id), rng)?;
    sqlx::query!(
        "INSERT INTO sessions (
             access_key_id,
             account_id,
             principal,
             ancestors,
             mint_revisions,
             account_ids,
             sealed_secret,
             seal_key_id,
             token_sha256,
             minted_at,
             expires_at,
             request_id,
             revision,
             blind_index,
             mint_histories
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT DO NOTHING",
        id,
        record.account_id,
        record.principal,
        &ancestors,
        &mint_revisions,
        &account_ids,
        sealed.bytes,
        sealed.key_id,
        &record.token_sha256[..],
        session.minted_at,
        record.expires_at,
        session.request_id,
        at.revision,
        ring.blind_index(&record.secret),
        &mint_histories
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Finds a session and opens its secret.
///
/// # Errors
/// [`StateFault`].
pub async fn find_session(
    pool: &PgPool,
    ring: &KeyRing,
    access_key_id: &AccessKeyId,
) -> Result<Option<FoundSession>, StateFault> {
    let row = sqlx::query!(
        "SELECT
             account_id,
             principal,
             ancestors,
             mint_revisions,
             mint_histories,
             account_ids,
             sealed_secret,
             seal_key_id,
             token_sha256,
             expires_at,
             sessions.revision,
             r.history
         FROM sessions, registry_revision r
         WHERE access_key_id = $1",
        access_key_id.as_str()
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let sealed = SealedSecret {
        key_id: row.seal_key_id,
        bytes: row.sealed_secret,
    };
    let ancestors = row
        .ancestors
        .iter()
        .zip(row.mint_revisions.iter().zip(row.mint_histories))
        .map(|(id, (revision, history))| {
            Ok(Ancestor {
                access_key_id: parse_key_id(id)?,
                minted_at: Position {
                    history: History(history),
                    revision: *revision,
                },
            })
        })
        .collect::<Result<_, StateFault>>()?;
    Ok(Some(FoundSession {
        record: SessionRecord {
            access_key_id: access_key_id.clone(),
            account_id: row.account_id,
            principal: row.principal,
            secret: ring.open(&sealed, seal_location(access_key_id.as_str()))?,
            token_sha256: row
                .token_sha256
                .try_into()
                .map_err(|_| StateFault::Corrupt("token_sha256"))?,
            expires_at: row.expires_at,
        },
        ancestors,
        account_ids: row.account_ids,
        position: Position {
            history: History(row.history),
            revision: row.revision,
        },
    }))
}

/// Deletes the sessions that ended before `before`; returns how many.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn delete_sessions_before(
    pool: &PgPool,
    before: OffsetDateTime,
) -> Result<u64, StateFault> {
    let gone = sqlx::query!(
        "DELETE FROM sessions
         WHERE expires_at < $1",
        before
    )
    .execute(pool)
    .await?;
    Ok(gone.rows_affected())
}

pub(super) fn seal_location(access_key_id: &str) -> SealLocation<'_> {
    SealLocation {
        table: "sessions",
        column: "sealed_secret",
        row: access_key_id,
    }
}
