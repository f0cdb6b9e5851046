//! Network policies of AccessKeys: of one, and of all of an account. The sandbox does not evaluate them.

use serde_json::{Map, Value};
use sqlx::PgTransaction;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check,
    keys::find_key_owner,
    record_kind::{RecordKind, RecordSet},
    records::{RecordOwner, find_optional_record, upsert_record},
    refused::SandboxFault,
    sandbox::Sandbox,
};

/// The longest policy, in characters.
const LONGEST_POLICY: usize = 6144;

/// The member, and the parameter that sets it.
const POLICY: &str = "AccessKeyPolicy";

/// The name of the policy of all keys.
const ALL_KEYS: &str = "";

fn policies(asked: &SandboxRequest) -> RecordSet<'_> {
    asked.records(RecordKind::AccessKeyPolicy)
}

/// The key that the call is about, if its owner has it.
async fn find_requested_key<'a>(
    tx: &mut PgTransaction<'_>,
    asked: &'a SandboxRequest,
) -> Result<&'a str, SandboxFault> {
    let id = asked.must("UserAccessKeyId")?;
    let owner = find_key_owner(tx, asked).await?;
    let key = sqlx::query_scalar!(
        "SELECT access_key_id
         FROM sandbox.access_keys
         WHERE access_key_id = $1
           AND account_id = $2
           AND user_id IS NOT DISTINCT FROM $3",
        id,
        asked.caller.account_id,
        owner
    );
    let found = key.fetch_optional(&mut **tx).await?;
    found
        .map(|_| id)
        .ok_or_else(|| SandboxFault::not_exist("User.AccessKey"))
}

async fn read_policy(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    name: &str,
) -> Result<ResponseBody, SandboxFault> {
    let policy = find_optional_record(tx, policies(asked), name).await?;
    let text = policy.map(|policy| policy.text(POLICY).to_owned());
    let mut answer = single_member(POLICY, text.unwrap_or_default().into());
    if name != ALL_KEYS {
        answer.insert("AccessKeyId".to_owned(), name.into());
    }
    Ok(answer)
}

async fn write_policy(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    mut tx: PgTransaction<'_>,
    name: &str,
) -> Result<ResponseBody, SandboxFault> {
    let text = check::optional_text(asked, POLICY, LONGEST_POLICY)?.unwrap_or_default();
    if !text.is_empty() {
        let document: Option<Map<String, Value>> = serde_json::from_str(&text).ok();
        document.ok_or_else(|| SandboxFault::incorrect(POLICY))?;
    }
    let body = Map::from_iter([(POLICY.to_owned(), text.into())]);
    let owner = RecordOwner::default();
    let now = sandbox.clock.now();
    upsert_record(&mut tx, policies(asked), name, owner, body, now).await?;
    let shown = read_policy(&mut tx, asked, name).await?;
    tx.commit().await?;
    Ok(shown)
}

pub async fn get_key_policy(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let id = find_requested_key(&mut tx, asked).await?;
    read_policy(&mut tx, asked, id).await
}

pub async fn set_key_policy(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let id = find_requested_key(&mut tx, asked).await?;
    write_policy(sandbox, asked, tx, id).await
}

pub async fn get_account_key_policy(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    read_policy(&mut tx, asked, ALL_KEYS).await
}

pub async fn set_account_key_policy(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let tx = sandbox.pool.begin().await?;
    write_policy(sandbox, asked, tx, ALL_KEYS).await
}
