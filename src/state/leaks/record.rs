//! The leak road's one transaction: reports, restrictions, audit records, revision, letters.

use std::collections::HashMap;

use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::leaks::{
    deliveries::{self, DeliveryOrigin},
    sighting::{Finding, record_findings},
    sources,
};
use crate::{
    audit::Actor,
    directory::{
        StateFault, holders,
        revision::{self, WriteStamp},
        sealing::KeyRing,
    },
    outbox,
};
pub use crate::{leaks::sighting::RecordedReport, restrictions::impose::RestrictionInForce};
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    leak::{LeakPlace, Proof, is_plausible_first_seen, report_origin},
    lineage::DescendantPolicy,
    secret_fragments::SecretFragments,
};

/// What a source reports about one place.
#[derive(Debug, Clone, Default)]
pub struct LeakReport {
    /// The key or session that was found.
    pub access_key_id: Option<AccessKeyId>,
    /// The secret that was found: becomes a keyed digest here and is dropped.
    pub secret: Option<AccessKeySecret>,
    /// The source's own id of the finding; without it, key and place are the sighting.
    pub reference: Option<String>,
    /// Where.
    pub place: LeakPlace,
    /// When the source first saw it.
    pub first_seen: Option<OffsetDateTime>,
}

/// Why a reported key is restricted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportGrounds {
    /// An operator has decided it, with the secret or without.
    Decision,
    /// The secret proves the leak: a report without it is a suspicion.
    Proof,
    /// The same, by somebody who shows that they have the secret but answers for nothing else: what they say of a place
    /// changes no report that is recorded already.
    Possession,
}

/// How suspicions are handled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SuspicionPolicy {
    /// How many new ones a source may report per hour before it is paused; `None` for no limit.
    pub most_per_hour: Option<i64>,
    /// Whether owners are notified of them.
    pub tell_owners: bool,
}

/// Reports that a source delivers together.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Who found them.
    pub source: &'a str,
    /// Who delivers them.
    pub actor: &'a Actor,
    /// Why they restrict.
    pub grounds: ReportGrounds,
    /// How suspicions are handled.
    pub suspicions: SuspicionPolicy,
    /// What becomes of what the keys made.
    pub descendants: DescendantPolicy,
    /// What they arrived in; `None` for one that arrives alone.
    pub ledger: Option<DeliveryOrigin<'a>>,
}

/// Reports without fragments of secrets in their texts, and with their secrets as keyed digests.
#[derive(Debug)]
pub struct RedactedReports {
    source: String,
    reports: Vec<LeakReport>,
    digests: Vec<Option<Vec<u8>>>,
    /// Of the texts as they were given.
    origins: Vec<[u8; 32]>,
}

/// Records reports and restricts what is proven, all or nothing. Returns the result of each, in order; `None` for one
/// with neither id nor secret. A sighting that is recorded already takes over new details and restricts nothing, whatever
/// has become of its restriction.
///
/// # Errors
/// [`StateFault`]; nothing is recorded then.
pub async fn record_reports(
    pool: &PgPool,
    ring: &KeyRing,
    delivery: &Delivery<'_>,
    reports: &[LeakReport],
    now: OffsetDateTime,
) -> Result<Vec<Option<RecordedReport>>, StateFault> {
    let redacted = redact_secrets(pool, ring, delivery.source, reports).await;
    record_redacted(pool, delivery, &redacted, now).await
}

/// The same for reports that went through [`redact_secrets`], which does not need the revision lock.
///
/// # Errors
/// [`StateFault`]; nothing is recorded then.
pub async fn record_redacted(
    pool: &PgPool,
    delivery: &Delivery<'_>,
    redacted: &RedactedReports,
    now: OffsetDateTime,
) -> Result<Vec<Option<RecordedReport>>, StateFault> {
    let (tx, recorded) = record_uncommitted(pool, delivery, redacted, now).await?;
    tx.commit().await?;
    Ok(recorded)
}

/// A key that would be restricted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WouldRestrict {
    /// The key.
    pub access_key_id: String,
    /// Its account; `None` if the key is unknown.
    pub account_id: Option<String>,
    /// Its RAM user; `None` for the account itself.
    pub user_name: Option<String>,
}

/// Runs [`record_redacted`] and rolls it back: returns what would become of each report, and which keys would newly be
/// restricted.
///
/// # Errors
/// [`StateFault`].
pub async fn dry_run_reports(
    pool: &PgPool,
    delivery: &Delivery<'_>,
    redacted: &RedactedReports,
    now: OffsetDateTime,
) -> Result<(Vec<Option<RecordedReport>>, Vec<WouldRestrict>), StateFault> {
    let (mut tx, recorded) = record_uncommitted(pool, delivery, redacted, now).await?;
    let imposed: Vec<Uuid> = recorded
        .iter()
        .flatten()
        .filter(|one| one.is_imposed)
        .filter_map(|one| Some(one.restriction?.restriction_id))
        .collect();
    let reached: Vec<Uuid> = recorded
        .iter()
        .flatten()
        .filter_map(|one| Some(one.restriction?.restriction_id))
        .collect();
    let would_restrict = sqlx::query_as!(
        WouldRestrict,
        "SELECT
             r.access_key_id AS \"access_key_id!\",
             COALESCE(p.account_id, s.account_id) AS account_id,
             p.user_name AS \"user_name?\"
         FROM restrictions r
         LEFT JOIN access_keys k USING (access_key_id)
         LEFT JOIN principals p USING (principal_id)
         LEFT JOIN sessions s USING (access_key_id)
         WHERE r.restriction_id = ANY($1)
            OR (r.ancestor_id = ANY($2) AND r.imposed_at = $3)",
        &imposed,
        &reached,
        now
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.rollback().await?;
    Ok((recorded, would_restrict))
}

async fn record_uncommitted<'p>(
    pool: &'p PgPool,
    delivery: &Delivery<'_>,
    redacted: &RedactedReports,
    now: OffsetDateTime,
) -> Result<(PgTransaction<'p>, Vec<Option<RecordedReport>>), StateFault> {
    let RedactedReports {
        source,
        reports,
        digests,
        origins,
    } = redacted;
    let reported_by = delivery.actor.to_string();
    let mut tx = pool.begin().await?;
    revision::lock_revision(&mut tx).await?;
    let delivery_id = match &delivery.ledger {
        Some(ledger) => {
            Some(deliveries::upsert_delivery(&mut tx, *ledger, source, delivery.actor, now).await?)
        }
        None => None,
    };
    let is_held = sources::is_source_paused(&mut tx, source).await?;
    let references: Vec<String> = reports
        .iter()
        .zip(origins)
        .map(|(report, origin)| {
            let own = report.reference.clone();
            own.unwrap_or_else(|| hex::encode(origin))
        })
        .collect();
    let findings: Vec<Finding<'_>> = reports
        .iter()
        .zip(digests)
        .zip(origins.iter().zip(&references))
        .map(|((report, digest), (origin, reference))| Finding {
            source,
            reference,
            origin,
            access_key_id: report.access_key_id.as_ref(),
            digest: digest.as_deref(),
            place: &report.place,
            // A wrong time is as good as none: the look-back and the letters must not trust it.
            first_seen: report
                .first_seen
                .filter(|at| is_plausible_first_seen(*at, now)),
            reported_at: now,
            reported_by: &reported_by,
            delivery_id,
            is_held,
            is_decided: delivery.grounds == ReportGrounds::Decision,
            updates: delivery.grounds != ReportGrounds::Possession,
            descendants: delivery.descendants,
        })
        .collect();
    let recorded = record_findings(&mut tx, &findings, delivery.actor, None, now).await?;
    let new = recorded.iter().flatten().filter(|one| one.is_new);
    let suspected: Vec<Uuid> = new
        .filter(|one| one.proof == Proof::Suspected)
        .map(|one| one.report_id)
        .collect();
    if let Some(most) = delivery.suspicions.most_per_hour
        && !suspected.is_empty()
    {
        let count = i64::try_from(suspected.len()).unwrap_or(i64::MAX);
        sources::count_suspicions(&mut tx, source, count, most, now).await?;
    }
    if delivery.suspicions.tell_owners {
        outbox::enqueue_suspected(&mut tx, &suspected, now).await?;
    }
    Ok((tx, recorded))
}

/// Handles access keys that have become known: they prove earlier reports of their secrets.
pub(crate) async fn prove_suspicions(
    tx: &mut PgTransaction<'_>,
    blind_indexes: &[&[u8]],
    at: WriteStamp,
) -> Result<(), StateFault> {
    if blind_indexes.is_empty() {
        return Ok(());
    }
    let suspicions = sqlx::query!(
        "DELETE FROM leak_reports
         WHERE access_key_id IS NULL
           AND secret_digest = ANY($1)
         RETURNING
             source,
             origin,
             reference,
             secret_digest AS \"secret_digest!\",
             url,
             commit_id,
             path,
             first_seen,
             reported_at,
             reported_by,
             delivery_id",
        blind_indexes as &[&[u8]]
    )
    .fetch_all(&mut **tx)
    .await?;
    let places: Vec<LeakPlace> = suspicions
        .iter()
        .map(|one| {
            LeakPlace::new(
                one.url.as_deref(),
                one.commit_id.as_deref(),
                one.path.as_deref(),
            )
        })
        .collect();
    let findings: Vec<Finding<'_>> = suspicions
        .iter()
        .zip(&places)
        .map(|(one, place)| Finding {
            source: &one.source,
            reference: &one.reference,
            origin: &one.origin,
            access_key_id: None,
            digest: Some(&one.secret_digest),
            place,
            first_seen: one.first_seen,
            reported_at: one.reported_at,
            reported_by: &one.reported_by,
            delivery_id: one.delivery_id,
            is_held: false,
            is_decided: false,
            updates: true,
            // The key becomes known this moment: it has made nothing, and makes nothing from now on.
            descendants: DescendantPolicy::List,
        })
        .collect();
    if findings.is_empty() {
        return Ok(());
    }
    record_findings(tx, &findings, &Actor::Akgate, Some(at), at.now).await?;
    Ok(())
}

/// Removes secrets from reports: the source's name and every text must not contain a fragment of a secret that is
/// reported for the same place, or of a secret of the reported keys. A source may include it in a URL.
pub async fn redact_secrets(
    pool: &PgPool,
    ring: &KeyRing,
    source: &str,
    reports: &[LeakReport],
) -> RedactedReports {
    let origins = reports
        .iter()
        .map(|report| report_origin(report.reference.as_deref(), &report.place))
        .collect();
    let ids: Vec<&str> = reports
        .iter()
        .filter_map(|report| Some(report.access_key_id.as_ref()?.as_str()))
        .collect();
    // If the keys cannot be read, the reports still count.
    let known = holders::open_secrets(pool, ring, &ids)
        .await
        .unwrap_or_default();
    let told = reports.iter().filter_map(|report| report.secret.as_ref());
    let source = SecretFragments::of(told.chain(known.values())).redact(source);
    let mut told: HashMap<&LeakPlace, Vec<&AccessKeySecret>> = HashMap::new();
    for report in reports {
        let secrets = told.entry(&report.place).or_default();
        secrets.extend(&report.secret);
    }
    // Each place once, however much was found there.
    let places: HashMap<&LeakPlace, LeakPlace> = told
        .into_iter()
        .map(|(place, secrets)| (place, place.without(&SecretFragments::of(secrets))))
        .collect();
    let reports = reports.iter().map(|report| {
        let mut redacted = report.clone();
        if let Some(place) = places.get(&report.place) {
            redacted.place = place.clone();
        }
        let own = report.access_key_id.as_ref().and_then(|id| known.get(id));
        if own.is_some() {
            redacted.place = redacted.place.without(&SecretFragments::of(own));
        }
        let both = || SecretFragments::of(report.secret.iter().chain(own));
        redacted.reference = redacted.reference.map(|text| both().redact(&text));
        redacted
    });
    let reports: Vec<LeakReport> = reports.collect();
    let digests = reports
        .iter()
        .map(|report| Some(ring.blind_index(report.secret.as_ref()?)))
        .collect();
    RedactedReports {
        source,
        reports,
        digests,
        origins,
    }
}
