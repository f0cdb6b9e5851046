//! Artefacts: what a leaked key, and everything that it made, created, changed and read out, which its owner has to review.

use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{directory::StateFault, restrictions::read::Exposure};
use akgate_rules::{access_key::AccessKeyId, evidence::sanitize_text};

/// Calls that did the same to the same objects from the same address, a session, or something that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artefact {
    /// `call:REQUEST_ID` of the last of the calls, `session:ID`, or `made:ID`.
    pub id: String,
    /// Product code.
    pub product: String,
    /// Action.
    pub action: String,
    /// What it does, as `Mutate(Identity)`; `MintSession` for a session.
    pub effect: String,
    /// The objects' names, each ready to be shown; keys are masked.
    pub names: Vec<String>,
    /// When it was done last.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How often.
    pub times: i64,
    /// Where the calls came from; empty where that is not known.
    pub source_ip: String,
    /// What did it, masked, if not the leaked key itself or a session of it.
    pub done_by: Option<String>,
    /// Until when a session works.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// Whether it was done before akgate knew that the key had leaked.
    pub is_before_known: bool,
    /// Whether the owner has reviewed it.
    pub is_acknowledged: bool,
}

/// The acknowledgement of an owner that they have looked at the time of which nobody knows whether the key was public.
pub const LOOK_BACK: &str = "look_back";

/// Everything that an owner has to review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// What the key and its lineage did: what is not reviewed first, then the newest first.
    pub artefacts: Vec<Artefact>,
    /// Whether the owner has acknowledged the look-back; `None` if it is known since when the key was public.
    pub look_back: Option<bool>,
}

impl Review {
    /// Whether nothing is left to review.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.look_back != Some(false) && self.artefacts.iter().all(|one| one.is_acknowledged)
    }
}

/// Reads what a key did since it was public: since the first sighting, or as far back as anything is recorded. Followed
/// are the sessions of the key, and everything that it made since then with what that did: access keys, the keys of
/// users, the sessions of roles and identity providers, to any depth.
///
/// # Errors
/// [`StateFault`].
pub async fn read_review(
    db: &mut PgConnection,
    access_key_id: &AccessKeyId,
    restriction_id: Uuid,
    exposure: &Exposure,
    limit: i64,
) -> Result<Review, StateFault> {
    let rows = sqlx::query!(
        "WITH RECURSIVE down (thing) AS (
             SELECT $1::text
             UNION
             SELECT c.made
             FROM down d
             JOIN creations c ON c.origin = d.thing
             WHERE d.thing <> $1
                OR c.made_at >= $3
         ),
         minted AS (
             SELECT s.access_key_id, s.principal, s.minted_at, s.expires_at, s.request_id, d.thing AS done_by
             FROM down d
             JOIN sessions s ON s.ancestors @> ARRAY[d.thing]
             WHERE d.thing NOT LIKE '%:%'
               AND s.minted_at >= $3
             UNION
             SELECT s.access_key_id, s.principal, s.minted_at, s.expires_at, s.request_id, d.thing
             FROM down d
             JOIN sessions s ON s.origins @> ARRAY[d.thing]
             WHERE d.thing LIKE '%:%'
         ),
         signed AS (
             SELECT i.*
             FROM (
                 SELECT i.*, d.thing AS done_by
                 FROM down d
                 JOIN intents i ON COALESCE(i.root, i.access_key_id) = d.thing
                 WHERE d.thing NOT LIKE '%:%'
                    OR d.thing LIKE 'saml:%'
                    OR d.thing LIKE 'oidc:%'
                 UNION ALL
                 SELECT i.*, m.done_by
                 FROM minted m
                 JOIN intents i ON i.access_key_id = m.access_key_id
                 WHERE m.done_by LIKE 'role:%'
             ) AS i
             WHERE i.received_at >= $3
               AND i.signed_at >= $3::timestamptz - interval '1 hour'
               AND i.grounds <> 'self-remedy'
               AND COALESCE(i.outcome, 'Unknown') IN ('Succeeded', 'Unknown', 'NotRecorded')
         ),
         made AS (
             SELECT DISTINCT ON (c.made) c.made, c.request_id, c.made_by, c.made_at
             FROM down d
             JOIN creations c ON c.made = d.thing
             WHERE d.thing <> $1
             ORDER BY c.made, c.made_at
         ),
         done AS (
             SELECT
                 'call:' || (array_agg(s.request_id ORDER BY s.received_at DESC, s.request_id))[1] AS id,
                 s.product,
                 s.action,
                 s.effect,
                 s.names,
                 min(s.made) AS made,
                 max(s.received_at) AS at,
                 count(*) AS times,
                 s.source_ip,
                 s.done_by,
                 NULL::timestamptz AS expires_at
             FROM (
                 SELECT
                     i.request_id,
                     i.product,
                     i.action,
                     i.effect,
                     CASE i.effect
                         WHEN 'MintSession' THEN i.names - '{RoleSessionName,DurationSeconds,SourceIdentity}'::text[]
                         ELSE i.names
                     END AS names,
                     (SELECT min(m.made) FROM made m WHERE m.request_id = i.request_id AND m.made NOT LIKE '%:%') AS made,
                     i.received_at,
                     i.source_ip,
                     i.done_by
                 FROM (
                     -- Each call once: its session may have come through several of these.
                     SELECT DISTINCT ON (request_id) *
                     FROM signed
                     ORDER BY request_id, done_by
                 ) AS i
                 WHERE NOT (
                     i.effect = 'MintSession'
                     AND i.request_id IN (SELECT request_id FROM minted)
                 )
             ) AS s
             GROUP BY s.product, s.action, s.effect, s.names, s.source_ip, s.done_by
             UNION ALL
             SELECT
                 'session:' || access_key_id,
                 'STS',
                 'AssumeRole',
                 'MintSession',
                 jsonb_build_object('RoleArn', principal),
                 NULL,
                 minted_at,
                 1,
                 '',
                 done_by,
                 expires_at
             FROM (SELECT DISTINCT ON (access_key_id) * FROM minted ORDER BY access_key_id, done_by) AS m
             UNION ALL
             SELECT
                 'made:' || made,
                 '',
                 '',
                 '',
                 '{}',
                 made,
                 made_at,
                 1,
                 '',
                 NULLIF(made_by, ''),
                 NULL
             FROM made m
             WHERE m.request_id NOT IN (SELECT request_id FROM signed)
         )
         SELECT
             d.id AS \"id!\",
             d.product AS \"product!\",
             d.action AS \"action!\",
             d.effect AS \"effect!\",
             d.names AS \"names!\",
             d.made,
             d.at AS \"at!\",
             d.times AS \"times!\",
             d.source_ip AS \"source_ip!\",
             NULLIF(d.done_by, $1) AS done_by,
             d.expires_at,
             a.artefact IS NOT NULL AS \"is_acknowledged!\"
         FROM done d
         LEFT JOIN acknowledgements a ON a.restriction_id = $2 AND a.artefact = d.id
         ORDER BY a.artefact IS NOT NULL, d.at DESC, d.id
         LIMIT $4",
        access_key_id.as_str(),
        restriction_id,
        exposure.looked_at_since(),
        limit
    )
    .fetch_all(&mut *db)
    .await?;
    let artefacts = rows.into_iter().map(|row| {
        let known = row.names.as_object();
        let mut names = known.map(displayed_names).unwrap_or_default();
        let (mut product, mut action, mut effect) = (row.product, row.action, row.effect);
        if let Some(made) = &row.made {
            if action.is_empty() {
                let (by, does) = creation_of(made);
                product = "RAM".to_owned();
                (action, effect) = (by.to_owned(), does.to_owned());
            }
            names.push(displayed_thing(made));
        }
        Artefact {
            id: row.id,
            product,
            action,
            effect,
            names,
            at: row.at,
            times: row.times,
            source_ip: row.source_ip,
            done_by: row.done_by.as_deref().map(displayed_thing),
            expires_at: row.expires_at,
            is_before_known: row.at < exposure.known_at,
            is_acknowledged: row.is_acknowledged,
        }
    });
    let artefacts = artefacts.collect();
    let look_back = match exposure.first_seen {
        Some(_) => None,
        None => Some(is_acknowledged(db, restriction_id, LOOK_BACK).await?),
    };
    Ok(Review {
        artefacts,
        look_back,
    })
}

async fn is_acknowledged(
    db: &mut PgConnection,
    restriction_id: Uuid,
    artefact: &str,
) -> Result<bool, StateFault> {
    let acknowledged = sqlx::query_scalar!(
        "SELECT EXISTS (
             SELECT 1
             FROM acknowledgements
             WHERE restriction_id = $1
               AND artefact = $2
         ) AS \"is_acknowledged!\"",
        restriction_id,
        artefact
    )
    .fetch_one(db)
    .await?;
    Ok(acknowledged)
}

/// The action that makes a thing of this kind, and its effect.
fn creation_of(made: &str) -> (&'static str, &'static str) {
    match made.split_once(':').map(|(kind, _)| kind) {
        None => ("CreateAccessKey", "Mutate(Credential)"),
        Some("user") => ("CreateUser", "Mutate(Identity)"),
        Some("role") => ("CreateRole", "Mutate(Identity)"),
        Some("service-role") => ("CreateServiceLinkedRole", "Mutate(Identity)"),
        Some("group") => ("CreateGroup", "Mutate(Identity)"),
        Some("policy") => ("CreatePolicy", "Mutate(Permission)"),
        Some("login") => ("CreateLoginProfile", "Mutate(Credential)"),
        Some("saml") => ("CreateSAMLProvider", "Mutate(Identity)"),
        Some("oidc") => ("CreateOIDCProvider", "Mutate(Identity)"),
        Some("application") => ("CreateApplication", "Mutate(Identity)"),
        Some("application-secret") => ("CreateAppSecret", "Mutate(Credential)"),
        Some("mfa") => ("CreateVirtualMFADevice", "Mutate(Credential)"),
        Some("account") => ("CreateResourceAccount", "Mutate(Identity)"),
        Some(_) => ("Create", "Mutate(Other)"),
    }
}

/// An access key or session, masked; of everything else, its name.
fn displayed_thing(thing: &str) -> String {
    match thing.split_once('/') {
        Some((_, name)) if thing.contains(':') => sanitize_text(name),
        _ => AccessKeyId::parse(thing).map_or_else(|_| sanitize_text(thing), |id| id.masked()),
    }
}

/// Calls of a key and its sessions since then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CallTotals {
    /// That went upstream.
    pub forwarded: i64,
    /// That policy refused.
    pub refused: i64,
}

/// Counts the calls of a key and its sessions since the hour of then.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn count_calls_since(
    db: &mut PgConnection,
    access_key_id: &AccessKeyId,
    since: OffsetDateTime,
) -> Result<CallTotals, StateFault> {
    let calls = sqlx::query_as!(
        CallTotals,
        "SELECT
             COALESCE(sum(forwarded), 0)::bigint AS \"forwarded!\",
             COALESCE(sum(refused), 0)::bigint AS \"refused!\"
         FROM call_counts
         WHERE hour >= date_trunc('hour', $2::timestamptz)
           AND (
               access_key_id = $1
               OR access_key_id IN (
                   SELECT access_key_id
                   FROM sessions
                   WHERE ancestors @> ARRAY[$1]
               )
           )",
        access_key_id.as_str(),
        since
    )
    .fetch_one(db)
    .await?;
    Ok(calls)
}

/// Marks artefacts as reviewed. Unknown ids have no effect.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn acknowledge_artefacts(
    db: &mut PgConnection,
    restriction_id: Uuid,
    ids: &[String],
    by: &str,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "INSERT INTO acknowledgements (restriction_id, artefact, acknowledged_at, acknowledged_by)
         SELECT $1, artefact, $3, $4
         FROM unnest($2::text[]) AS n (artefact)
         ON CONFLICT DO NOTHING",
        restriction_id,
        ids,
        now,
        by
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The names that a record keeps, as they are shown.
fn displayed_names(names: &Map<String, Value>) -> Vec<String> {
    let shown = names.iter().filter_map(|(name, value)| {
        let value = value.as_str()?;
        match name.as_str() {
            "UserAccessKeyId" => Some(
                AccessKeyId::parse(value).map_or_else(|_| sanitize_text(value), |id| id.masked()),
            ),
            // These parameters do not name an object.
            "Status" | "PolicyType" | "DurationSeconds" | "SetAsDefault" => None,
            _ => Some(sanitize_text(value)),
        }
    });
    shown.collect()
}
