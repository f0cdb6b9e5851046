//! Turns findings into sightings: finds the key, decides on the proof, and restricts what is proven.
//!
//! A sighting is one key, or one secret of no known key, in one report of a source ([`akgate_rules::leak::report_origin`]).
//! Reporting it again restricts nothing, even after a lift, but takes over new details; only a suspicion can later be
//! proven by the same sighting.

use std::collections::{HashMap, HashSet};

use sqlx::PgTransaction;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::restrictions::{
    descendants::{self, LineageRoot},
    impose::{RestrictionInForce, RestrictionTarget, impose_restrictions, list_in_force},
};
use crate::{
    audit::{self, Actor, AuditAction, AuditEntry},
    directory::{
        StateFault, collect_column,
        holders::{self, KnownCredential, KnownCredentials},
        revision::{self, WriteStamp},
    },
    outbox,
};
use akgate_rules::{
    access_key::AccessKeyId,
    leak::{LeakPlace, Proof},
    lineage::DescendantPolicy,
    position::{History, Position},
    restriction::RestrictionCause,
};

/// What was found in one place, with its secret as a keyed digest and its texts without fragments of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finding<'a> {
    pub source: &'a str,
    /// The source's own id of it, or the origin in hexadecimal digits.
    pub reference: &'a str,
    /// [`akgate_rules::leak::report_origin`].
    pub origin: &'a [u8],
    pub access_key_id: Option<&'a AccessKeyId>,
    pub digest: Option<&'a [u8]>,
    pub place: &'a LeakPlace,
    pub first_seen: Option<OffsetDateTime>,
    pub reported_at: OffsetDateTime,
    pub reported_by: &'a str,
    pub delivery_id: Option<Uuid>,
    /// Its source is paused, so nobody is notified of it as long as it is a suspicion.
    pub is_held: bool,
    /// An operator decides that the key is restricted, proven or not.
    pub is_decided: bool,
    /// Whether a report that is recorded already takes over what is new in this one.
    pub updates: bool,
    /// What becomes of what the key made.
    pub descendants: DescendantPolicy,
}

/// The result of a finding: that of its strongest sighting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedReport {
    /// The report.
    pub report_id: Uuid,
    /// How far it is proven.
    pub proof: Proof,
    /// Whether the directory knows the key.
    pub is_known: bool,
    /// The restriction that it led to, or joined; `None` for a suspicion, and for one that is lifted.
    pub restriction: Option<RestrictionInForce>,
    /// The restriction that it led to before, which is lifted: nothing is restricted by it now.
    pub lifted: Option<Uuid>,
    /// Whether the restriction was imposed for it now.
    pub is_imposed: bool,
    /// Whether the report is new; a sighting counts once.
    pub is_new: bool,
}

/// A key at a place, reported by a source.
struct Sighting<'a> {
    finding: &'a Finding<'a>,
    /// The key or session; `None` for a secret of no known key.
    access_key_id: Option<&'a AccessKeyId>,
    holder: Option<&'a KnownCredential>,
    digest: Option<&'a [u8]>,
    matches: Option<bool>,
    proof: Proof,
}

impl<'a> Sighting<'a> {
    /// What was found, as `leak_reports.subject` has it.
    fn subject(&self) -> String {
        match (self.access_key_id, self.digest) {
            (Some(id), _) => id.as_str().to_owned(),
            (None, digest) => hex::encode(digest.unwrap_or_default()),
        }
    }

    fn restricted(&self) -> Option<RestrictionTarget<'a>> {
        let holder = self.holder;
        let access_key_id = holder
            .map(KnownCredential::restricted)
            .or(self.access_key_id)?;
        let account_id = holder.map(|holder| holder.account_id.as_str());
        let restricts = self.proof.restricts();
        restricts.then(|| RestrictionTarget::leaked(access_key_id, account_id))
    }
}

/// What is recorded of a sighting already.
#[derive(Debug, Clone, Copy)]
struct EarlierReport {
    report_id: Uuid,
    proof: Proof,
    restriction: Option<RestrictionInForce>,
    /// A restriction that is lifted.
    lifted: Option<Uuid>,
}

/// Records findings and restricts what they prove. Returns the result of each, in order; `None` for one that shows
/// nothing. The caller's transaction must hold the revision lock ([`revision::lock_revision`]); the revision moves
/// where something is restricted, unless `at` says that it has already.
pub(crate) async fn record_findings(
    tx: &mut PgTransaction<'_>,
    findings: &[Finding<'_>],
    actor: &Actor,
    at: Option<WriteStamp>,
    now: OffsetDateTime,
) -> Result<Vec<Option<RecordedReport>>, StateFault> {
    let ids: Vec<&str> = findings
        .iter()
        .filter_map(|finding| Some(finding.access_key_id?.as_str()))
        .collect();
    let digests: Vec<&[u8]> = findings.iter().filter_map(|one| one.digest).collect();
    let holders = holders::find_known_credentials(tx, &ids, &digests, now).await?;
    let (sightings, of) = merge_sightings(findings, &holders);
    let earlier = find_earlier_reports(tx, &sightings).await?;
    let restrictions = restrict_proven(tx, &sightings, &earlier, actor, at, now).await?;
    let recorded: Vec<RecordedReport> = sightings
        .iter()
        .zip(&earlier)
        .zip(restrictions)
        .map(|((sighting, earlier), restriction)| RecordedReport {
            report_id: earlier.map_or_else(Uuid::now_v7, |earlier| earlier.report_id),
            proof: earlier.map_or(sighting.proof, |earlier| earlier.proof.max(sighting.proof)),
            is_known: sighting.holder.is_some(),
            is_imposed: restriction.is_some_and(|one| one.is_fresh),
            restriction: restriction
                .map(|one| one.in_force)
                .or(earlier.and_then(|earlier| earlier.restriction)),
            lifted: match restriction {
                Some(_) => None,
                None => earlier.and_then(|earlier| earlier.lifted),
            },
            is_new: earlier.is_none(),
        })
        .collect();
    insert_reports(tx, &sightings, &recorded).await?;
    upgrade_suspicions(tx, &sightings, &earlier, &recorded).await?;
    let updated = update_details(tx, &sightings, &earlier).await?;
    let told: Vec<AuditEntry<'_>> = sightings
        .iter()
        .zip(&earlier)
        .zip(&recorded)
        .filter(|((sighting, earlier), recorded)| {
            newly_restricts(sighting, earlier.as_ref())
                || is_new_suspicion(sighting, earlier.as_ref())
                || updated.contains(&recorded.report_id)
        })
        .map(|((sighting, earlier), recorded)| AuditEntry {
            at: now,
            actor,
            action: AuditAction::ReportLeak,
            access_key_id: sighting.access_key_id,
            restriction_id: recorded.restriction.map(|one| one.restriction_id),
            detail: serde_json::json!({
                "source": sighting.finding.source,
                "reference": sighting.finding.reference,
                "proof": sighting.proof,
                "secret_matches": sighting.matches,
                "updated": earlier.is_some(),
            }),
        })
        .collect();
    audit::insert_audit_records(tx, &told).await?;
    let best = of.into_iter().map(|indices| {
        let mine = indices.into_iter().filter_map(|at| recorded.get(at));
        mine.max_by_key(|one| (one.proof, one.is_known)).copied()
    });
    Ok(best.collect())
}

/// Every sighting once, the strongest of its kind, and those of each finding by their indices.
fn merge_sightings<'a>(
    findings: &'a [Finding<'a>],
    holders: &'a KnownCredentials,
) -> (Vec<Sighting<'a>>, Vec<Vec<usize>>) {
    let mut sightings: Vec<Sighting<'a>> = Vec::with_capacity(findings.len());
    let mut seen: HashMap<(&str, &[u8], String), usize> = HashMap::with_capacity(findings.len());
    let of = findings.iter().map(|finding| {
        let mine = sightings_of(finding, holders).into_iter().map(|sighting| {
            let next = sightings.len();
            let key = (finding.source, finding.origin, sighting.subject());
            let at = *seen.entry(key).or_insert(next);
            match sightings.get_mut(at) {
                Some(before) if before.proof < sighting.proof => *before = sighting,
                Some(_) => {}
                None => sightings.push(sighting),
            }
            at
        });
        mine.collect()
    });
    let of = of.collect();
    (sightings, of)
}

/// The sightings of one finding: of the id that it names, of every other key that has its secret, and of a secret of no
/// known key.
fn sightings_of<'a>(finding: &'a Finding<'a>, holders: &'a KnownCredentials) -> Vec<Sighting<'a>> {
    let mut sightings = Vec::with_capacity(1);
    let named = finding.access_key_id;
    if let Some(access_key_id) = named {
        let holder = holders.of_id(access_key_id);
        let matches = holder
            .zip(finding.digest)
            .map(|(holder, digest)| holder.has(digest));
        let works = holder.is_some_and(|holder| !holder.has_ended);
        let proof = match matches {
            _ if finding.is_decided => Proof::Decided,
            Some(true) if works => Proof::IdAndSecret,
            Some(_) | None => Proof::Suspected,
        };
        let kept = finding.is_decided || matches == Some(true);
        sightings.push(Sighting {
            finding,
            access_key_id: Some(access_key_id),
            holder,
            digest: finding.digest.filter(|_| kept),
            matches,
            proof,
        });
    }
    let Some(digest) = finding.digest else {
        return sightings;
    };
    let mut is_somebodys = false;
    for holder in holders.of_digest(digest) {
        is_somebodys = true;
        if named != Some(&holder.access_key_id) {
            sightings.push(Sighting {
                finding,
                access_key_id: Some(&holder.access_key_id),
                holder: Some(holder),
                digest: Some(digest),
                matches: Some(true),
                proof: if holder.has_ended {
                    Proof::Suspected
                } else {
                    Proof::Secret
                },
            });
        }
    }
    // Kept beside the id that it does not prove: the key that it belongs to may become known later.
    if !is_somebodys && !finding.is_decided {
        sightings.push(Sighting {
            finding,
            access_key_id: None,
            holder: None,
            digest: Some(digest),
            matches: None,
            proof: Proof::Suspected,
        });
    }
    sightings
}

/// Whether a sighting restricts something that nothing like it has restricted before.
fn newly_restricts(sighting: &Sighting<'_>, earlier: Option<&EarlierReport>) -> bool {
    sighting.proof.restricts() && earlier.is_none_or(|earlier| !earlier.proof.restricts())
}

/// Whether a sighting is the first suspicion of a known key. Held suspicions are not reported to owners; operators get
/// a task about the source instead.
fn is_new_suspicion(sighting: &Sighting<'_>, earlier: Option<&EarlierReport>) -> bool {
    !sighting.proof.restricts()
        && earlier.is_none()
        && sighting.holder.is_some()
        && !sighting.finding.is_held
}

async fn find_earlier_reports(
    tx: &mut PgTransaction<'_>,
    sightings: &[Sighting<'_>],
) -> Result<Vec<Option<EarlierReport>>, StateFault> {
    let sources: Vec<&str> = sightings.iter().map(|one| one.finding.source).collect();
    let origins: Vec<&[u8]> = sightings.iter().map(|one| one.finding.origin).collect();
    let subjects: Vec<String> = sightings.iter().map(Sighting::subject).collect();
    let rows = sqlx::query!(
        "SELECT
             n.position AS \"position!\",
             l.report_id,
             l.proof,
             l.restriction_id,
             r.revision AS \"revision?\",
             r.state = 'Lifted' AS \"is_lifted?\",
             (SELECT history FROM registry_revision) AS \"history!\"
         FROM unnest($1::text[], $2::bytea[], $3::text[])
             WITH ORDINALITY AS n (source, origin, subject, position)
         JOIN leak_reports l USING (source, origin, subject)
         LEFT JOIN restrictions r USING (restriction_id)",
        &sources as &[&str],
        &origins as &[&[u8]],
        &subjects
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut earlier = vec![None; sightings.len()];
    for row in rows {
        let at = usize::try_from(row.position - 1).ok();
        let Some(slot) = at.and_then(|at| earlier.get_mut(at)) else {
            continue;
        };
        let is_lifted = row.is_lifted == Some(true);
        *slot = Some(EarlierReport {
            report_id: row.report_id,
            lifted: row.restriction_id.filter(|_| is_lifted),
            proof: row
                .proof
                .parse()
                .map_err(|_| StateFault::Corrupt("proof"))?,
            restriction: row
                .restriction_id
                .filter(|_| !is_lifted)
                .zip(row.revision)
                .map(|(restriction_id, revision)| RestrictionInForce {
                    restriction_id,
                    position: Position {
                        history: History(row.history),
                        revision,
                    },
                }),
        });
    }
    Ok(earlier)
}

/// The restriction that a sighting leads to.
#[derive(Debug, Clone, Copy)]
struct SightingRestriction {
    in_force: RestrictionInForce,
    /// Whether it was imposed now.
    is_fresh: bool,
}

/// Restricts what is proven now and was not before; returns for each sighting the restriction that it leads to.
async fn restrict_proven(
    tx: &mut PgTransaction<'_>,
    sightings: &[Sighting<'_>],
    earlier: &[Option<EarlierReport>],
    actor: &Actor,
    at: Option<WriteStamp>,
    now: OffsetDateTime,
) -> Result<Vec<Option<SightingRestriction>>, StateFault> {
    let targets: Vec<Option<RestrictionTarget<'_>>> = sightings
        .iter()
        .zip(earlier)
        .map(|(sighting, earlier)| {
            let target = sighting.restricted();
            target.filter(|_| newly_restricts(sighting, earlier.as_ref()))
        })
        .collect();
    let ids: Vec<&str> = targets
        .iter()
        .flatten()
        .map(|target| target.access_key_id.as_str())
        .collect();
    if ids.is_empty() {
        return Ok(vec![None; sightings.len()]);
    }
    let before = list_in_force(tx, &ids).await?;
    let again: HashSet<Uuid> = before.values().map(|one| one.restriction_id).collect();
    let again = Vec::from_iter(again);
    outbox::enqueue_repeated(tx, &again, now).await?;
    tell_leaked_descendants(tx, &again, &targets, now).await?;
    let mut of: HashMap<String, SightingRestriction> = before
        .into_iter()
        .map(|(id, in_force)| {
            let is_fresh = false;
            (id, SightingRestriction { in_force, is_fresh })
        })
        .collect();
    let mut fresh: Vec<RestrictionTarget<'_>> = Vec::new();
    let mut named = HashSet::new();
    for target in targets.iter().flatten() {
        let id = target.access_key_id.as_str();
        if !of.contains_key(id) && named.insert(id) {
            fresh.push(*target);
        }
    }
    let reaching = reach_of(sightings, &targets);
    if fresh.is_empty() && reaching.is_empty() {
        return Ok(restrictions_of(&targets, &of));
    }
    let at = match at {
        Some(at) => at,
        None => revision::advance_revision(tx, now).await?,
    };
    let imposed = impose_restrictions(tx, &fresh, RestrictionCause::Reported, actor, at).await?;
    for (target, restriction_id) in fresh.iter().zip(imposed) {
        let in_force = RestrictionInForce {
            restriction_id,
            position: at.position(),
        };
        let id = target.access_key_id.as_str().to_owned();
        let is_fresh = true;
        of.insert(id, SightingRestriction { in_force, is_fresh });
    }
    let roots: Vec<LineageRoot> = reaching
        .iter()
        .filter_map(|(id, since)| {
            let restriction = of.get_mut(*id)?;
            restriction.in_force.position = at.position();
            Some(LineageRoot {
                restriction_id: restriction.in_force.restriction_id,
                since: *since,
            })
        })
        .collect();
    descendants::restrict_descendants(tx, &roots, &Actor::Policy, at).await?;
    Ok(restrictions_of(&targets, &of))
}

/// A key that was restricted as a descendant, and now leaked itself, is no descendant any more: its owner is told.
async fn tell_leaked_descendants(
    tx: &mut PgTransaction<'_>,
    restrictions: &[Uuid],
    targets: &[Option<RestrictionTarget<'_>>],
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let leaked = sqlx::query!(
        "UPDATE restrictions
         SET cause = 'Reported',
             ancestor_id = NULL
         WHERE restriction_id = ANY($1)
           AND cause = 'Descendant'
         RETURNING restriction_id, access_key_id",
        restrictions
    )
    .fetch_all(&mut **tx)
    .await?;
    let accounts: HashMap<&str, Option<&str>> = targets
        .iter()
        .flatten()
        .map(|target| (target.access_key_id.as_str(), target.account_id))
        .collect();
    let told: Vec<(Uuid, Option<&str>)> = leaked
        .iter()
        .map(|row| {
            let account_id = accounts.get(row.access_key_id.as_str()).copied();
            (row.restriction_id, account_id.flatten())
        })
        .collect();
    outbox::enqueue_imposed(tx, &told, now).await
}

/// The keys whose restrictions reach what they made, each with the time since when: that since which the sightings say it
/// was public, or all time if one of them does not say it.
fn reach_of<'a>(
    sightings: &[Sighting<'a>],
    targets: &[Option<RestrictionTarget<'a>>],
) -> HashMap<&'a str, OffsetDateTime> {
    let mut reaching: HashMap<&str, OffsetDateTime> = HashMap::new();
    for (sighting, target) in sightings.iter().zip(targets) {
        let Some(target) = target else { continue };
        if sighting.finding.descendants == DescendantPolicy::Restrict {
            let since = sighting.finding.first_seen;
            let since = since.unwrap_or(OffsetDateTime::UNIX_EPOCH);
            let id = target.access_key_id.as_str();
            let earliest = reaching.entry(id).or_insert(since);
            *earliest = since.min(*earliest);
        }
    }
    reaching
}

fn restrictions_of(
    targets: &[Option<RestrictionTarget<'_>>],
    of: &HashMap<String, SightingRestriction>,
) -> Vec<Option<SightingRestriction>> {
    let restrictions = targets.iter().map(|target| {
        let target = target.as_ref()?;
        of.get(target.access_key_id.as_str()).copied()
    });
    restrictions.collect()
}

/// Writes the reports that are new.
async fn insert_reports(
    tx: &mut PgTransaction<'_>,
    sightings: &[Sighting<'_>],
    recorded: &[RecordedReport],
) -> Result<(), StateFault> {
    let new: Vec<(&Sighting<'_>, &RecordedReport)> = sightings
        .iter()
        .zip(recorded)
        .filter(|(_, recorded)| recorded.is_new)
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO leak_reports (
             report_id,
             source,
             origin,
             reference,
             access_key_id,
             parent_access_key_id,
             restriction_id,
             proof,
             url,
             commit_id,
             path,
             first_seen,
             secret_digest,
             secret_matches,
             delivery_id,
             reported_at,
             reported_by,
             held
         )
         SELECT *
         FROM unnest(
             $1::uuid[],
             $2::text[],
             $3::bytea[],
             $4::text[],
             $5::text[],
             $6::text[],
             $7::uuid[],
             $8::text[],
             $9::text[],
             $10::text[],
             $11::text[],
             $12::timestamptz[],
             $13::bytea[],
             $14::boolean[],
             $15::uuid[],
             $16::timestamptz[],
             $17::text[],
             $18::boolean[]
         )",
        &collect_column(&new, |(_, one)| one.report_id),
        &collect_column(&new, |(one, _)| one.finding.source) as &[&str],
        &collect_column(&new, |(one, _)| one.finding.origin) as &[&[u8]],
        &collect_column(&new, |(one, _)| one.finding.reference) as &[&str],
        &collect_column(&new, |(one, _)| one.access_key_id.map(AccessKeyId::as_str))
            as &[Option<&str>],
        &collect_column(&new, |(one, _)| parent_key_id(one)) as &[Option<&str>],
        &collect_column(&new, |(_, one)| one.restriction.map(|of| of.restriction_id))
            as &[Option<Uuid>],
        &collect_column(&new, |(one, _)| one.proof.as_str()) as &[&str],
        &collect_column(&new, |(one, _)| one.finding.place.url.as_deref()) as &[Option<&str>],
        &collect_column(&new, |(one, _)| one.finding.place.commit.as_deref()) as &[Option<&str>],
        &collect_column(&new, |(one, _)| one.finding.place.path.as_deref()) as &[Option<&str>],
        &collect_column(&new, |(one, _)| one.finding.first_seen) as &[Option<OffsetDateTime>],
        &collect_column(&new, |(one, _)| one.digest) as &[Option<&[u8]>],
        &collect_column(&new, |(one, _)| one.matches) as &[Option<bool>],
        &collect_column(&new, |(one, _)| one.finding.delivery_id) as &[Option<Uuid>],
        &collect_column(&new, |(one, _)| one.finding.reported_at),
        &collect_column(&new, |(one, _)| one.finding.reported_by) as &[&str],
        &collect_column(&new, |(one, _)| {
            one.finding.is_held && !one.proof.restricts()
        })
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes what a suspicion has become by what proves it.
async fn upgrade_suspicions(
    tx: &mut PgTransaction<'_>,
    sightings: &[Sighting<'_>],
    earlier: &[Option<EarlierReport>],
    recorded: &[RecordedReport],
) -> Result<(), StateFault> {
    let proven: Vec<(&Sighting<'_>, &RecordedReport)> = sightings
        .iter()
        .zip(earlier)
        .zip(recorded)
        .filter(|((sighting, earlier), _)| {
            earlier.is_some() && newly_restricts(sighting, earlier.as_ref())
        })
        .map(|((sighting, _), recorded)| (sighting, recorded))
        .collect();
    if proven.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE leak_reports l
         SET proof = n.proof,
             restriction_id = n.restriction_id,
             secret_digest = n.secret_digest,
             secret_matches = n.secret_matches,
             delivery_id = n.delivery_id,
             held = false
         FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bytea[], $5::boolean[], $6::uuid[])
             AS n (report_id, proof, restriction_id, secret_digest, secret_matches, delivery_id)
         WHERE l.report_id = n.report_id",
        &collect_column(&proven, |(_, one)| one.report_id),
        &collect_column(&proven, |(one, _)| one.proof.as_str()) as &[&str],
        &collect_column(&proven, |(_, one)| one
            .restriction
            .map(|of| of.restriction_id)) as &[Option<Uuid>],
        &collect_column(&proven, |(one, _)| one.digest) as &[Option<&[u8]>],
        &collect_column(&proven, |(one, _)| one.matches) as &[Option<bool>],
        &collect_column(&proven, |(one, _)| one.finding.delivery_id) as &[Option<Uuid>]
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Takes over what a report that is recorded already did not say before; returns the ids of those that have changed. The
/// earliest `first_seen` counts.
async fn update_details(
    tx: &mut PgTransaction<'_>,
    sightings: &[Sighting<'_>],
    earlier: &[Option<EarlierReport>],
) -> Result<HashSet<Uuid>, StateFault> {
    let again: Vec<(&Sighting<'_>, &EarlierReport)> = sightings
        .iter()
        .zip(earlier)
        .filter_map(|(sighting, earlier)| Some((sighting, earlier.as_ref()?)))
        .filter(|(sighting, _)| sighting.finding.updates)
        .collect();
    if again.is_empty() {
        return Ok(HashSet::new());
    }
    let updated = sqlx::query_scalar!(
        "UPDATE leak_reports l
         SET url = COALESCE(n.url, l.url),
             commit_id = COALESCE(n.commit_id, l.commit_id),
             path = COALESCE(n.path, l.path),
             first_seen = LEAST(n.first_seen, l.first_seen),
             secret_digest = COALESCE(n.secret_digest, l.secret_digest),
             secret_matches = COALESCE(n.secret_matches, l.secret_matches)
         FROM unnest(
             $1::uuid[],
             $2::text[],
             $3::text[],
             $4::text[],
             $5::timestamptz[],
             $6::bytea[],
             $7::boolean[]
         ) AS n (report_id, url, commit_id, path, first_seen, secret_digest, secret_matches)
         WHERE l.report_id = n.report_id
           AND (
               n.url <> COALESCE(l.url, '')
               OR n.commit_id <> COALESCE(l.commit_id, '')
               OR n.path <> COALESCE(l.path, '')
               OR n.first_seen < COALESCE(l.first_seen, 'infinity')
               OR n.secret_matches IS DISTINCT FROM COALESCE(l.secret_matches, n.secret_matches)
               OR n.secret_matches AND l.secret_digest IS NULL
           )
         RETURNING l.report_id",
        &collect_column(&again, |(_, earlier)| earlier.report_id),
        &collect_column(&again, |(one, _)| one.finding.place.url.as_deref()) as &[Option<&str>],
        &collect_column(&again, |(one, _)| one.finding.place.commit.as_deref())
            as &[Option<&str>],
        &collect_column(&again, |(one, _)| one.finding.place.path.as_deref()) as &[Option<&str>],
        &collect_column(&again, |(one, _)| one.finding.first_seen) as &[Option<OffsetDateTime>],
        &collect_column(&again, |(one, _)| one.digest) as &[Option<&[u8]>],
        &collect_column(&again, |(one, _)| one.matches) as &[Option<bool>]
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(updated.into_iter().collect())
}

fn parent_key_id<'a>(sighting: &Sighting<'a>) -> Option<&'a str> {
    Some(sighting.holder?.parent.as_ref()?.as_str())
}
