//! Versions of a policy: five at most, one of them in force.

use serde_json::{Value, json};
use sqlx::PgTransaction;
use time::OffsetDateTime;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check,
    policies::{self, PolicyRow, format_version_id},
    refused::SandboxFault,
    sandbox::Sandbox,
};

/// Versions per policy.
const MAX_VERSIONS: usize = 5;

/// A version's row.
struct VersionRow {
    version: i32,
    document: String,
    created_at: OffsetDateTime,
}

impl VersionRow {
    fn shown(self, policy: &PolicyRow) -> Value {
        json!({
            "VersionId": format_version_id(self.version),
            "IsDefaultVersion": self.version == policy.default_version,
            "PolicyDocument": self.document,
            "CreateDate": check::format_date(self.created_at),
        })
    }
}

/// The oldest first.
async fn list_policy_versions_of(
    tx: &mut PgTransaction<'_>,
    policy: &PolicyRow,
) -> Result<Vec<VersionRow>, SandboxFault> {
    let versions = sqlx::query_as!(
        VersionRow,
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
fn parse_version_id(asked: &SandboxRequest) -> Result<i32, SandboxFault> {
    asked
        .must("VersionId")?
        .strip_prefix('v')
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| SandboxFault::format("VersionId"))
}

async fn find_requested_version(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    policy: &PolicyRow,
) -> Result<VersionRow, SandboxFault> {
    let number = parse_version_id(asked)?;
    list_policy_versions_of(tx, policy)
        .await?
        .into_iter()
        .find(|version| version.version == number)
        .ok_or_else(|| SandboxFault::not_exist("Policy.Version"))
}

async fn find_requested_custom_policy(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<PolicyRow, SandboxFault> {
    policies::find_custom_policy(tx, asked, asked.must("PolicyName")?).await
}

pub async fn create_policy_version(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let document = asked.must("PolicyDocument")?;
    check::check_policy_document("PolicyDocument", document)?;
    let rotates = match asked.get("RotateStrategy") {
        None | Some("None") => false,
        Some("DeleteOldestNonDefaultVersionWhenLimitExceeded") => true,
        Some(_) => return Err(SandboxFault::incorrect("RotateStrategy")),
    };
    let is_default = check::optional_flag(asked, "SetAsDefault")?.unwrap_or_default();
    let mut tx = sandbox.pool.begin().await?;
    let mut policy = find_requested_custom_policy(&mut tx, asked).await?;
    let versions = list_policy_versions_of(&mut tx, &policy).await?;
    if versions.len() >= MAX_VERSIONS {
        let oldest = versions
            .iter()
            .find(|version| version.version != policy.default_version);
        match oldest {
            Some(oldest) if rotates => delete_version_row(&mut tx, &policy, oldest.version).await?,
            Some(_) | None => return Err(SandboxFault::too_many("Policy.Version")),
        }
    }
    let now = sandbox.clock.now();
    let version = sqlx::query_as!(
        VersionRow,
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
    Ok(single_member("PolicyVersion", version.shown(&policy)))
}

pub async fn get_policy_version(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let policy = policies::find_requested_policy(&mut tx, asked).await?;
    let version = find_requested_version(&mut tx, asked, &policy).await?;
    Ok(single_member("PolicyVersion", version.shown(&policy)))
}

pub async fn list_policy_versions(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let policy = policies::find_requested_policy(&mut tx, asked).await?;
    let versions = list_policy_versions_of(&mut tx, &policy).await?;
    let shown: Vec<Value> = versions
        .into_iter()
        .map(|version| version.shown(&policy))
        .collect();
    Ok(single_member(
        "PolicyVersions",
        json!({ "PolicyVersion": shown }),
    ))
}

pub async fn set_default_version(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let policy = find_requested_custom_policy(&mut tx, asked).await?;
    let version = find_requested_version(&mut tx, asked, &policy).await?;
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
    Ok(ResponseBody::new())
}

pub async fn delete_policy_version(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let policy = find_requested_custom_policy(&mut tx, asked).await?;
    let version = find_requested_version(&mut tx, asked, &policy).await?;
    if version.version == policy.default_version {
        return Err(SandboxFault::delete_conflict("Policy.Version.Default"));
    }
    delete_version_row(&mut tx, &policy, version.version).await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}

async fn delete_version_row(
    tx: &mut PgTransaction<'_>,
    policy: &PolicyRow,
    version: i32,
) -> Result<(), SandboxFault> {
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
