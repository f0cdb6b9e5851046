//! Sessions in Postgres: each under the key that minted it, through any number of hops.

use std::collections::HashSet;

use rand::CryptoRng;
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    StateFault, collect_column,
    keys::parse_key_id,
    revision::AdditionStamp,
    sealing::{KeyRing, SealFault, SealLocation, SealedSecret},
};
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    lineage,
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
    /// The identity provider that vouched for whoever asked ([`lineage`]); `None` where none did.
    pub federated_by: Option<String>,
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
    /// The roles and identity providers that the lineage came through, its own first ([`lineage`]).
    pub origins: Vec<String>,
    /// The addition by which it became known, in the place of a revision: nothing of it changes later. In the history in
    /// which it was read.
    pub position: Position,
}

/// A session with its secret sealed, ready to be stored.
#[derive(Debug)]
pub struct SealedSession {
    session: NewSession,
    sealed: SealedSecret,
    blind_index: Vec<u8>,
}

impl SealedSession {
    /// Seals a session. It does not use the database.
    ///
    /// # Errors
    /// [`SealFault`] only where the ring itself is broken.
    pub fn seal(
        session: NewSession,
        ring: &KeyRing,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, SealFault> {
        let record = &session.record;
        let location = seal_location(record.access_key_id.as_str());
        Ok(Self {
            sealed: ring.seal(&record.secret, location, rng)?,
            blind_index: ring.blind_index(&record.secret),
            session,
        })
    }

    /// The public part.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        self.session.record.access_key_id.as_str()
    }

    /// The same, parsed.
    #[must_use]
    pub fn id(&self) -> &AccessKeyId {
        &self.session.record.access_key_id
    }

    /// The account of its role.
    #[must_use]
    pub fn account_id(&self) -> &str {
        &self.session.record.account_id
    }

    /// The session that asked for it; `None` if an access key did.
    #[must_use]
    pub fn parent_session(&self) -> Option<&str> {
        let parent = &self.session.parent.as_ref()?.ancestor.access_key_id;
        parent.is_session().then_some(parent.as_str())
    }

    /// The role and the identity provider that it came through itself.
    #[must_use]
    pub fn own_origins(&self) -> Vec<String> {
        let provider = self.session.federated_by.clone();
        self.role().into_iter().chain(provider).collect()
    }

    fn role(&self) -> Option<String> {
        lineage::role_origin(&self.session.record.principal)
    }

    fn parent<T>(&self, of: impl Fn(&SessionParent) -> T) -> Option<T> {
        self.session.parent.as_ref().map(of)
    }
}

/// What became of sessions, by id; one that is in neither was there before.
#[derive(Debug, Default)]
pub struct StoredSessions {
    /// They are new.
    pub inserted: HashSet<String>,
    /// They are not stored: a restriction reaches the role or the identity provider that they came through.
    pub held: HashSet<String>,
}

/// Stores sessions, whose parents must be known. The lineage of each is that of its parent, followed by the parent. Calling it
/// twice changes nothing. A session that a restriction reaches through its role or provider is stored only if
/// `with_restricted` says that it is restricted in the same transaction.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn insert_sessions(
    tx: &mut PgTransaction<'_>,
    sessions: &[&SealedSession],
    at: AdditionStamp,
    with_restricted: bool,
) -> Result<StoredSessions, StateFault> {
    if sessions.is_empty() {
        return Ok(StoredSessions::default());
    }
    let records = collect_column(sessions, |one| &one.session.record);
    let stored = sqlx::query!(
        "WITH n AS (
             SELECT *, array_remove(ARRAY[role, provider], NULL) AS own_origins
             FROM unnest(
                 $1::text[],
                 $2::text[],
                 $3::text[],
                 $4::text[],
                 $5::uuid[],
                 $6::bigint[],
                 $7::text[],
                 $8::bytea[],
                 $9::integer[],
                 $10::bytea[],
                 $11::bytea[],
                 $12::timestamptz[],
                 $13::timestamptz[],
                 $14::uuid[],
                 $16::text[],
                 $17::text[]
             ) AS n (
                 access_key_id,
                 account_id,
                 principal,
                 parent,
                 mint_history,
                 mint_revision,
                 parent_account_id,
                 sealed_secret,
                 seal_key_id,
                 blind_index,
                 token_sha256,
                 minted_at,
                 expires_at,
                 request_id,
                 role,
                 provider
             )
         ),
         held AS (
             SELECT access_key_id
             FROM n
             WHERE NOT $18
               -- Looked at once, whatever the number of sessions.
               AND EXISTS (SELECT 1 FROM restrictions WHERE descendants_since IS NOT NULL AND state <> 'Lifted')
               AND restricting_ancestor(own_origins) IS NOT NULL
         ),
         inserted AS (
             INSERT INTO sessions (
                 access_key_id,
                 account_id,
                 principal,
                 ancestors,
                 mint_histories,
                 mint_revisions,
                 account_ids,
                 origins,
                 sealed_secret,
                 seal_key_id,
                 blind_index,
                 token_sha256,
                 minted_at,
                 expires_at,
                 request_id,
                 addition
             )
             SELECT
                 n.access_key_id,
                 n.account_id,
                 n.principal,
                 COALESCE(above.ancestors, '{}') || array_remove(ARRAY[n.parent], NULL),
                 COALESCE(above.mint_histories, '{}') || array_remove(ARRAY[n.mint_history], NULL),
                 COALESCE(above.mint_revisions, '{}') || array_remove(ARRAY[n.mint_revision], NULL),
                 ARRAY(
                     SELECT DISTINCT one
                     FROM unnest(ARRAY[n.account_id, n.parent_account_id] || above.account_ids) AS of (one)
                     WHERE one IS NOT NULL
                     ORDER BY one
                 ),
                 n.own_origins || COALESCE(above.origins, '{}'),
                 n.sealed_secret,
                 n.seal_key_id,
                 n.blind_index,
                 n.token_sha256,
                 n.minted_at,
                 n.expires_at,
                 n.request_id,
                 $15::bigint
             FROM n
             LEFT JOIN sessions above ON above.access_key_id = n.parent
             WHERE n.access_key_id NOT IN (SELECT access_key_id FROM held)
             ON CONFLICT DO NOTHING
             RETURNING access_key_id
         )
         SELECT access_key_id AS \"access_key_id!\", false AS \"is_held!\"
         FROM inserted
         UNION ALL
         SELECT access_key_id, true
         FROM held",
        &collect_column(&records, |one| one.access_key_id.as_str()) as &[&str],
        &collect_column(&records, |one| one.account_id.as_str()) as &[&str],
        &collect_column(&records, |one| one.principal.as_str()) as &[&str],
        &collect_column(sessions, |one| one
            .parent(|parent| parent.ancestor.access_key_id.as_str().to_owned()))
            as &[Option<String>],
        &collect_column(sessions, |one| one
            .parent(|parent| parent.ancestor.minted_at.history.0))
            as &[Option<Uuid>],
        &collect_column(sessions, |one| one
            .parent(|parent| parent.ancestor.minted_at.revision))
            as &[Option<i64>],
        &collect_column(sessions, |one| one
            .parent(|parent| parent.account_id.clone()))
            as &[Option<String>],
        &collect_column(sessions, |one| one.sealed.bytes.as_slice()) as &[&[u8]],
        &collect_column(sessions, |one| one.sealed.key_id),
        &collect_column(sessions, |one| one.blind_index.as_slice()) as &[&[u8]],
        &collect_column(&records, |one| &one.token_sha256[..]) as &[&[u8]],
        &collect_column(sessions, |one| one.session.minted_at),
        &collect_column(&records, |one| one.expires_at),
        &collect_column(sessions, |one| one.session.request_id),
        at.addition,
        &collect_column(sessions, |one| one.role()) as &[Option<String>],
        &collect_column(sessions, |one| one.session.federated_by.as_deref()) as &[Option<&str>],
        with_restricted
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut outcome = StoredSessions::default();
    for row in stored {
        match row.is_held {
            true => outcome.held.insert(row.access_key_id),
            false => outcome.inserted.insert(row.access_key_id),
        };
    }
    Ok(outcome)
}

/// Finds which of the ids are sessions.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn find_session_ids(
    tx: &mut PgTransaction<'_>,
    ids: &[&str],
) -> Result<HashSet<String>, StateFault> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let found = sqlx::query_scalar!(
        "SELECT access_key_id
         FROM sessions
         WHERE access_key_id = ANY($1)",
        ids as &[&str]
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(found.into_iter().collect())
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
             origins,
             sealed_secret,
             seal_key_id,
             token_sha256,
             expires_at,
             addition,
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
        origins: row.origins,
        position: Position {
            history: History(row.history),
            revision: row.addition,
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
