//! Versions of a policy: five at most, one of them in force.

use serde_json::{Value, json};
use sqlx::PgTransaction;
use time::OffsetDateTime;

use super::{
    Sandbox,
    answer::{Tree, tree},
    asked::Asked,
    check,
    policies::{self, Policy, version_id},
    refused::Refused,
};

/// Versions per policy.
const LIMIT: usize = 5;

/// A version's row.
struct Version {
    version: i32,
    document: String,
    created_at: OffsetDateTime,
}

impl Version {
    fn shown(self, policy: &Policy) -> Value {
        json!({
            "VersionId": version_id(self.version),
            "IsDefaultVersion": self.version == policy.default_version,
            "PolicyDocument": self.document,
            "CreateDate": check::date(self.created_at),
        })
    }
}

/// The oldest first.
async fn of(tx: &mut PgTransaction<'_>, policy: &Policy) -> Result<Vec<Version>, Refused> {
    let versions = sqlx::query_as!(
        Version,
        "SELECT version, document, created_at
         FROM sandbox.policy_versions
         WHERE policy_id = $1
         ORDER BY version",
        policy.policy_id
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(versions)
}

/// The number in `VersionId`, which is `v1` and so on.
fn number(asked: &Asked) -> Result<i32, Refused> {
    asked
        .must("VersionId")?
        .strip_prefix('v')
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| Refused::format("VersionId"))
}

async fn meant(
    tx: &mut PgTransaction<'_>,
    asked: &Asked,
    policy: &Policy,
) -> Result<Version, Refused> {
    let number = number(asked)?;
    of(tx, policy)
        .await?
        .into_iter()
        .find(|version| version.version == number)
        .ok_or_else(|| Refused::not_exist("Policy.Version"))
}

async fn own_policy(tx: &mut PgTransaction<'_>, asked: &Asked) -> Result<Policy, Refused> {
    policies::own(tx, asked, asked.must("PolicyName")?).await
}

pub async fn create(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let document = asked.must("PolicyDocument")?;
    check::document("PolicyDocument", document)?;
    let rotates = match asked.get("RotateStrategy") {
        None | Some("None") => false,
        Some("DeleteOldestNonDefaultVersionWhenLimitExceeded") => true,
        Some(_) => return Err(Refused::incorrect("RotateStrategy")),
    };
    let is_default = check::flag(asked, "SetAsDefault")?.unwrap_or_default();
    let mut tx = sandbox.pool.begin().await?;
    let mut policy = own_policy(&mut tx, asked).await?;
    let versions = of(&mut tx, &policy).await?;
    if versions.len() >= LIMIT {
        let oldest = versions
            .iter()
            .find(|version| version.version != policy.default_version);
        match oldest {
            Some(oldest) if rotates => remove(&mut tx, &policy, oldest.version).await?,
            Some(_) | None => return Err(Refused::too_many("Policy.Version")),
        }
    }
    let now = sandbox.clock.now();
    let version = sqlx::query_as!(
        Version,
        "WITH numbered AS (
             UPDATE sandbox.policies
             SET last_version = last_version + 1,
                 default_version = CASE WHEN $2 THEN last_version + 1 ELSE default_version END,
                 updated_at = $3
             WHERE policy_id = $1
             RETURNING last_version
         )
         INSERT INTO sandbox.policy_versions (policy_id, version, document, created_at)
         SELECT $1, last_version, $4, $3
         FROM numbered
         RETURNING version, document, created_at",
        policy.policy_id,
        is_default,
        now,
        document
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    if is_default {
        policy.default_version = version.version;
    }
    Ok(tree("PolicyVersion", version.shown(&policy)))
}

pub async fn get(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let mut tx = sandbox.pool.begin().await?;
    let policy = policies::meant(&mut tx, asked).await?;
    let version = meant(&mut tx, asked, &policy).await?;
    Ok(tree("PolicyVersion", version.shown(&policy)))
}

pub async fn list(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let mut tx = sandbox.pool.begin().await?;
    let policy = policies::meant(&mut tx, asked).await?;
    let versions = of(&mut tx, &policy).await?;
    let shown: Vec<Value> = versions
        .into_iter()
        .map(|version| version.shown(&policy))
        .collect();
    Ok(tree("PolicyVersions", json!({ "PolicyVersion": shown })))
}

pub async fn set_default(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let mut tx = sandbox.pool.begin().await?;
    let policy = own_policy(&mut tx, asked).await?;
    let version = meant(&mut tx, asked, &policy).await?;
    sqlx::query!(
        "UPDATE sandbox.policies
         SET default_version = $2,
             updated_at = $3
         WHERE policy_id = $1",
        policy.policy_id,
        version.version,
        sandbox.clock.now()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Tree::new())
}

pub async fn delete(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let mut tx = sandbox.pool.begin().await?;
    let policy = own_policy(&mut tx, asked).await?;
    let version = meant(&mut tx, asked, &policy).await?;
    if version.version == policy.default_version {
        return Err(Refused::delete_conflict("Policy.Version.Default"));
    }
    remove(&mut tx, &policy, version.version).await?;
    tx.commit().await?;
    Ok(Tree::new())
}

async fn remove(tx: &mut PgTransaction<'_>, policy: &Policy, version: i32) -> Result<(), Refused> {
    sqlx::query!(
        "DELETE FROM sandbox.policy_versions
         WHERE policy_id = $1
           AND version = $2",
        policy.policy_id,
        version
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
