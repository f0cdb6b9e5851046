//! Finds the keys and sessions that have given ids or secrets, many at a time.

use std::collections::HashMap;

use sqlx::{PgConnection, PgPool};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use super::{
    StateFault,
    keys::{self, parse_key_id},
    sealing::{KeyRing, SealedSecret},
    sessions,
};
use akgate_rules::access_key::{AccessKeyId, AccessKeySecret};

/// An access key or a session that is known.
#[derive(Debug, Clone)]
pub struct KnownCredential {
    /// Its id.
    pub access_key_id: AccessKeyId,
    /// The AccessKey that a session descends from; `None` for an access key, and for the session of a federated call.
    pub parent: Option<AccessKeyId>,
    /// The account of what would be restricted.
    pub account_id: String,
    /// Whether it is a session that has ended: worth nothing to anybody.
    pub has_ended: bool,
    blind_index: Option<Vec<u8>>,
}

impl KnownCredential {
    /// Whether a secret of this keyed digest is its own, compared in constant time.
    #[must_use]
    pub fn has(&self, digest: &[u8]) -> bool {
        let index = self.blind_index.as_deref().unwrap_or_default();
        index.ct_eq(digest).into()
    }

    /// What is restricted where this is leaked.
    #[must_use]
    pub fn restricted(&self) -> &AccessKeyId {
        self.parent.as_ref().unwrap_or(&self.access_key_id)
    }
}

/// All that is known of some ids and secrets.
#[derive(Debug, Default)]
pub struct KnownCredentials {
    by_id: HashMap<AccessKeyId, KnownCredential>,
    by_digest: HashMap<Vec<u8>, Vec<AccessKeyId>>,
}

impl KnownCredentials {
    /// What has this id.
    #[must_use]
    pub fn of_id(&self, access_key_id: &AccessKeyId) -> Option<&KnownCredential> {
        self.by_id.get(access_key_id)
    }

    /// What has a secret of this keyed digest: hardly ever more than one.
    pub fn of_digest(&self, digest: &[u8]) -> impl Iterator<Item = &KnownCredential> {
        let ids = self.by_digest.get(digest).into_iter().flatten();
        ids.filter_map(|id| self.by_id.get(id))
    }
}

/// Finds what has one of these ids, or a secret of one of these keyed digests.
///
/// # Errors
/// [`StateFault`].
pub async fn find_known_credentials(
    db: &mut PgConnection,
    ids: &[&str],
    digests: &[&[u8]],
    now: OffsetDateTime,
) -> Result<KnownCredentials, StateFault> {
    let rows = sqlx::query!(
        "WITH found_keys AS (
             SELECT access_key_id, blind_index, principal_id
             FROM access_keys
             WHERE access_key_id = ANY($1)
             UNION
             SELECT access_key_id, blind_index, principal_id
             FROM access_keys
             WHERE blind_index = ANY($2)
         ),
         found_sessions AS (
             SELECT access_key_id, blind_index, ancestors[1] AS parent, account_id, expires_at
             FROM sessions
             WHERE access_key_id = ANY($1)
             UNION
             SELECT access_key_id, blind_index, ancestors[1], account_id, expires_at
             FROM sessions
             WHERE blind_index = ANY($2)
         )
         SELECT
             k.access_key_id AS \"access_key_id!\",
             k.blind_index,
             NULL AS parent,
             p.account_id AS \"account_id!\",
             false AS \"has_ended!\"
         FROM found_keys k
         JOIN principals p USING (principal_id)
         UNION ALL
         SELECT
             s.access_key_id,
             s.blind_index,
             s.parent,
             COALESCE(p.account_id, s.account_id),
             s.expires_at <= $3
         FROM found_sessions s
         LEFT JOIN access_keys k ON k.access_key_id = s.parent
         LEFT JOIN principals p USING (principal_id)",
        ids as &[&str],
        digests as &[&[u8]],
        now
    )
    .fetch_all(db)
    .await?;
    let mut holders = KnownCredentials::default();
    for row in rows {
        let holder = KnownCredential {
            access_key_id: parse_key_id(&row.access_key_id)?,
            parent: row.parent.as_deref().map(parse_key_id).transpose()?,
            account_id: row.account_id,
            has_ended: row.has_ended,
            blind_index: row.blind_index,
        };
        let id = holder.access_key_id.clone();
        if let Some(index) = &holder.blind_index {
            let ids = holders.by_digest.entry(index.clone()).or_default();
            ids.push(id.clone());
        }
        holders.by_id.insert(id, holder);
    }
    Ok(holders)
}

/// Opens the secrets of those of the ids that are known, so that nothing of them is written anywhere.
///
/// # Errors
/// [`StateFault`].
pub async fn open_secrets(
    pool: &PgPool,
    ring: &KeyRing,
    ids: &[&str],
) -> Result<HashMap<AccessKeyId, AccessKeySecret>, StateFault> {
    let rows = sqlx::query!(
        "SELECT
             access_key_id AS \"access_key_id!\",
             sealed_secret AS \"sealed_secret!\",
             seal_key_id AS \"seal_key_id!\",
             false AS \"is_session!\"
         FROM access_keys
         WHERE access_key_id = ANY($1)
         UNION ALL
         SELECT access_key_id, sealed_secret, seal_key_id, true
         FROM sessions
         WHERE access_key_id = ANY($1)",
        ids as &[&str]
    )
    .fetch_all(pool)
    .await?;
    let opened = rows.into_iter().map(|row| {
        let place = match row.is_session {
            true => sessions::seal_location(&row.access_key_id),
            false => keys::seal_location(&row.access_key_id),
        };
        let sealed = SealedSecret {
            key_id: row.seal_key_id,
            bytes: row.sealed_secret,
        };
        Ok((
            parse_key_id(&row.access_key_id)?,
            ring.open(&sealed, place)?,
        ))
    });
    opened.collect()
}
