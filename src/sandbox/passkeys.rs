//! Passkeys of RAM users. A browser makes one, no call does: they are there if a test has put them there
//! ([`seed_passkey`](super::seed::seed_passkey)).

use serde_json::{Value, json};
use sqlx::PgTransaction;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check,
    page::PageRequest,
    record_kind::{RecordKind, RecordSet},
    records::{Record, RecordOwner, delete_record, find_record, list_records, update_record},
    refused::SandboxFault,
    sandbox::Sandbox,
    user_lookup,
};

fn passkeys(asked: &SandboxRequest) -> RecordSet<'_> {
    asked.records(RecordKind::Passkey)
}

/// The user that is named or calls; the account itself has no passkeys.
async fn find_owner(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<i64, SandboxFault> {
    user_lookup::find_user_or_caller(tx, asked)
        .await?
        .ok_or_else(|| SandboxFault::missing("UserPrincipalName"))
}

async fn find_requested_passkey(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<Record, SandboxFault> {
    let user = find_owner(tx, asked).await?;
    let passkey = find_record(tx, passkeys(asked), asked.must("PasskeyId")?).await?;
    if passkey.user_id == Some(user) {
        Ok(passkey)
    } else {
        Err(SandboxFault::not_exist(passkeys(asked).kind.code()))
    }
}

pub async fn list_passkeys(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let owner = RecordOwner::user(find_owner(&mut tx, asked).await?);
    let page = PageRequest::whole();
    let found = list_records(&mut *tx, passkeys(asked), owner, &page).await?;
    let shown: Vec<Value> = found
        .iter()
        .map(|one| {
            json!({
                "PasskeyId": one.name,
                "PasskeyName": one.text("PasskeyName"),
                "CreateDate": check::format_date(one.created_at),
                "LastUseDate": one.text("LastUseDate"),
            })
        })
        .collect();
    Ok(single_member("Passkeys", shown.into()))
}

pub async fn update_passkey(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let name = asked.must("PasskeyName")?;
    check::optional_text(asked, "PasskeyName", 128)?;
    let mut tx = sandbox.pool.begin().await?;
    let passkey = find_requested_passkey(&mut tx, asked).await?;
    let mut body = passkey.body();
    body.insert("PasskeyName".to_owned(), name.into());
    let now = sandbox.clock.now();
    update_record(&mut tx, &passkey, passkey.user_id, body, now).await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}

pub async fn delete_passkey(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let passkey = find_requested_passkey(&mut tx, asked).await?;
    delete_record(&mut tx, &passkey).await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}
