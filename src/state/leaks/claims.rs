//! Claims of the public: stored before anything is looked up and examined afterwards, so that the answer reveals
//! nothing about a key.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::leaks::record::{
    Delivery, LeakReport, RecordedReport, ReportGrounds, SuspicionPolicy, record_reports,
};
use crate::{
    audit::Actor,
    directory::{StateFault, holders, keys::parse_key_id, sealing::KeyRing},
};
use akgate_rules::{
    access_key::AccessKeyId,
    leak::{LeakPlace, shows_possession},
    lineage::DescendantPolicy,
};

/// The name of the public among the sources.
pub const PUBLIC_SOURCE: &str = "public";

/// The proof that a reporter holds a secret.
#[derive(Debug, Clone)]
pub enum PossessionProof {
    /// A MAC made with it.
    Mac {
        /// The key.
        access_key_id: AccessKeyId,
        /// Chosen by them.
        nonce: String,
        /// The MAC.
        mac: Vec<u8>,
    },
    /// The secret itself, of which only the keyed digest is stored.
    Digest(Vec<u8>),
}

/// A claim to hold a secret.
#[derive(Debug, Clone)]
pub struct PossessionClaim {
    /// The proof.
    pub shown: PossessionProof,
    /// Where it was found.
    pub place: LeakPlace,
}

/// Stores a claim.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn insert_claim(
    pool: &PgPool,
    claim: &PossessionClaim,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let (access_key_id, nonce, mac, digest) = match &claim.shown {
        PossessionProof::Mac {
            access_key_id,
            nonce,
            mac,
        } => (Some(access_key_id.as_str()), Some(nonce), Some(mac), None),
        PossessionProof::Digest(digest) => (None, None, None, Some(digest)),
    };
    sqlx::query!(
        "INSERT INTO possession_claims (
             claim_id,
             access_key_id,
             nonce,
             mac,
             secret_digest,
             url,
             commit_id,
             path,
             received_at
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        Uuid::now_v7(),
        access_key_id,
        nonce,
        mac,
        digest,
        claim.place.url,
        claim.place.commit,
        claim.place.path,
        now
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Examines the oldest claims; returns what was proven and the number of claims. A claim that proves nothing is
/// deleted. If two nodes examine the same claim, it still counts once. `descendants` says what becomes of what the keys made.
///
/// # Errors
/// [`StateFault`]; the claims that were not looked into stay.
pub async fn verify_claims(
    pool: &PgPool,
    ring: &KeyRing,
    host: &str,
    descendants: DescendantPolicy,
    limit: i64,
    now: OffsetDateTime,
) -> Result<(Vec<RecordedReport>, usize), StateFault> {
    let claims = sqlx::query!(
        "SELECT claim_id, access_key_id, nonce, mac, secret_digest, url, commit_id, path
         FROM possession_claims
         ORDER BY claim_id
         LIMIT $1",
        limit
    )
    .fetch_all(pool)
    .await?;
    let ids: Vec<&str> = claims
        .iter()
        .filter_map(|claim| claim.access_key_id.as_deref())
        .collect();
    let digests: Vec<&[u8]> = claims
        .iter()
        .filter_map(|claim| claim.secret_digest.as_deref())
        .collect();
    let mut db = pool.acquire().await?;
    let holders = holders::find_known_credentials(&mut db, &ids, &digests, now).await?;
    drop(db);
    let sent = digests.iter().flat_map(|digest| holders.of_digest(digest));
    let mut known: Vec<&str> = sent.map(|holder| holder.access_key_id.as_str()).collect();
    known.extend(&ids);
    let secrets = holders::open_secrets(pool, ring, &known).await?;
    let mut reports = Vec::new();
    for claim in &claims {
        let place = LeakPlace::new(
            claim.url.as_deref(),
            claim.commit_id.as_deref(),
            claim.path.as_deref(),
        );
        let report = |access_key_id: &AccessKeyId, reference: Option<String>| {
            Some(LeakReport {
                secret: Some(secrets.get(access_key_id)?.clone()),
                access_key_id: Some(access_key_id.clone()),
                reference,
                place: place.clone(),
                first_seen: None,
            })
        };
        if let Some(digest) = &claim.secret_digest {
            let holders = holders.of_digest(digest);
            reports.extend(holders.filter_map(|holder| report(&holder.access_key_id, None)));
        }
        if let (Some(id), Some(nonce), Some(mac)) = (&claim.access_key_id, &claim.nonce, &claim.mac)
        {
            let id = parse_key_id(id)?;
            let shows = secrets
                .get(&id)
                .is_some_and(|secret| shows_possession(secret, host, nonce, mac));
            if shows {
                // The MAC does not cover the place, so a MAC counts only once: an observer cannot reuse it with another
                // place.
                reports.extend(report(&id, Some(format!("{} {nonce}", id.as_str()))));
            }
        }
    }
    let recorded = if reports.is_empty() {
        Vec::new()
    } else {
        let delivery = Delivery {
            source: PUBLIC_SOURCE,
            actor: &Actor::Source(PUBLIC_SOURCE.to_owned()),
            grounds: ReportGrounds::Possession,
            suspicions: SuspicionPolicy::default(),
            descendants,
            ledger: None,
        };
        record_reports(pool, ring, &delivery, &reports, now).await?
    };
    let done: Vec<Uuid> = claims.iter().map(|claim| claim.claim_id).collect();
    sqlx::query!(
        "DELETE FROM possession_claims
         WHERE claim_id = ANY($1)",
        &done
    )
    .execute(pool)
    .await?;
    Ok((recorded.into_iter().flatten().collect(), claims.len()))
}
