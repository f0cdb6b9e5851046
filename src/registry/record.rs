//! The leak road's one transaction: report, restriction, audit record, revision, letters.

use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use super::impose::{Imposition, impose, in_force};
use crate::{
    access_key::{AccessKeyId, AccessKeySecret},
    audit::{self, Actor, Deed, Entry},
    directory::{StateFault, keys, revision, sealing::KeyRing},
    evidence, outbox,
    restriction::Cause,
};

/// What a source tells.
#[derive(Debug, Clone)]
pub struct LeakReport {
    /// The key that was found.
    pub access_key_id: AccessKeyId,
    /// The secret that was found with it: becomes a keyed digest here and is dropped.
    pub secret: Option<AccessKeySecret>,
    /// Who found it.
    pub source: String,
    /// The source's own id of the finding.
    pub reference: String,
    /// Where.
    pub url: Option<String>,
    /// When the source first saw it.
    pub first_seen: Option<OffsetDateTime>,
    /// Who delivered the report.
    pub actor: Actor,
}

/// What a report led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The report.
    pub report_id: Uuid,
    /// The restriction that it led to, or joined.
    pub restriction_id: Uuid,
    /// Whether the report is new; a source's reference counts once.
    pub is_new: bool,
    /// The revision at which the restriction is in force.
    pub revision: i64,
}

/// Records a report and restricts the key. The same (source, reference) again gives what it led to then,
/// whatever has become of it: a replay restricts nothing.
///
/// # Errors
/// [`StateFault`]; nothing is recorded then.
pub async fn record(
    pool: &PgPool,
    ring: &KeyRing,
    report: &LeakReport,
    now: OffsetDateTime,
) -> Result<Recorded, StateFault> {
    let report = &discreet(pool, ring, report).await;
    let mut tx = pool.begin().await?;
    let at = revision::advance(&mut tx, now).await?;
    if let Some(earlier) = earlier(&mut tx, report).await? {
        return Ok(earlier);
    }
    let key = keys::owned(&mut tx, &report.access_key_id).await?;
    let account_id = match &key {
        Some(owned) => Some(owned.account_id.clone()),
        None => account_of_session(&mut tx, &report.access_key_id).await?,
    };
    let restriction_id = match in_force(&mut tx, &report.access_key_id).await? {
        Some(id) => {
            outbox::repeat(&mut tx, id, now).await?;
            id
        }
        None => {
            let imposition = Imposition {
                access_key_id: &report.access_key_id,
                account_id: account_id.as_deref(),
                cause: Cause::Reported,
                actor: &report.actor,
                at,
            };
            impose(&mut tx, imposition).await?
        }
    };
    let digest = report
        .secret
        .as_ref()
        .map(|secret| ring.blind_index(secret));
    let matches = digest
        .as_ref()
        .zip(key.as_ref())
        .map(|(digest, owned)| *digest == owned.blind_index);
    let report_id = Uuid::now_v7();
    sqlx::query!(
        "INSERT INTO leak_reports (
             report_id,
             source,
             reference,
             access_key_id,
             restriction_id,
             url,
             first_seen,
             secret_digest,
             secret_matches,
             reported_at,
             reported_by
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        report_id,
        report.source,
        report.reference,
        report.access_key_id.as_str(),
        restriction_id,
        report.url,
        report.first_seen,
        digest,
        matches,
        now,
        report.actor.to_string()
    )
    .execute(&mut *tx)
    .await?;
    audit::write(
        &mut tx,
        Entry {
            at: now,
            actor: &report.actor,
            deed: Deed::ReportLeak,
            access_key_id: Some(&report.access_key_id),
            restriction_id: Some(restriction_id),
            detail: serde_json::json!({
                "source": report.source,
                "reference": report.reference,
                "secret_matches": matches,
            }),
        },
    )
    .await?;
    tx.commit().await?;
    Ok(Recorded {
        report_id,
        restriction_id,
        is_new: true,
        revision: at.revision,
    })
}

/// A source may show the secret in the address of the place where it was found.
/// A report whose texts hold nothing of its secret, nor of the one that the key has.
async fn discreet(pool: &PgPool, ring: &KeyRing, report: &LeakReport) -> LeakReport {
    // Where the pair cannot be read the report counts all the same.
    let known = keys::find(pool, ring, &report.access_key_id).await;
    let known = known.ok().flatten().map(|pair| pair.record.secret);
    let without = |text: &str| {
        let secrets = report.secret.iter().chain(&known);
        secrets.fold(text.to_owned(), |text, secret| {
            evidence::without_secret(&text, secret.expose())
        })
    };
    LeakReport {
        source: without(&report.source),
        reference: without(&report.reference),
        url: report.url.as_deref().map(without),
        ..report.clone()
    }
}

async fn earlier(
    tx: &mut PgTransaction<'_>,
    report: &LeakReport,
) -> Result<Option<Recorded>, StateFault> {
    let row = sqlx::query!(
        "SELECT
             report_id,
             restriction_id,
             revision
         FROM leak_reports
         JOIN restrictions USING (restriction_id)
         WHERE source = $1
           AND reference = $2",
        report.source,
        report.reference
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| Recorded {
        report_id: row.report_id,
        restriction_id: row.restriction_id,
        is_new: false,
        revision: row.revision,
    }))
}

async fn account_of_session(
    tx: &mut PgTransaction<'_>,
    access_key_id: &AccessKeyId,
) -> Result<Option<String>, StateFault> {
    let account_id = sqlx::query_scalar!(
        "SELECT account_id
         FROM sessions
         WHERE access_key_id = $1",
        access_key_id.as_str()
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(account_id)
}
