//! The phone and the email of a RAM user that verify a log-in. The sandbox sends no codes: what is set counts as verified.

use serde_json::{Map, Value, json};
use sqlx::PgTransaction;

use super::{
    answer::ResponseBody,
    asked::SandboxRequest,
    record_kind::{RecordKind, RecordSet},
    records::{RecordOwner, find_optional_record, upsert_record},
    refused::SandboxFault,
    sandbox::Sandbox,
    user_lookup,
};

/// The parameter of the kind that `VerifyType` names.
fn verified_parameter(asked: &SandboxRequest) -> Result<&'static str, SandboxFault> {
    match asked.must("VerifyType")? {
        "sms" => Ok("MobilePhone"),
        "email" => Ok("Email"),
        _ => Err(SandboxFault::incorrect("VerifyType")),
    }
}

fn verifications(asked: &SandboxRequest) -> RecordSet<'_> {
    asked.records(RecordKind::VerificationInfo)
}

async fn find_owner(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<i64, SandboxFault> {
    user_lookup::find_user_or_caller(tx, asked)
        .await?
        .ok_or_else(|| SandboxFault::missing("UserPrincipalName"))
}

async fn find_members(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    user_id: i64,
) -> Result<Map<String, Value>, SandboxFault> {
    let record = find_optional_record(tx, verifications(asked), &user_id.to_string()).await?;
    Ok(record.map(|record| record.body()).unwrap_or_default())
}

async fn save_members(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    mut tx: PgTransaction<'_>,
    user_id: i64,
    members: Map<String, Value>,
) -> Result<ResponseBody, SandboxFault> {
    let (name, owner) = (user_id.to_string(), RecordOwner::user(user_id));
    let now = sandbox.clock.now();
    upsert_record(&mut tx, verifications(asked), &name, owner, members, now).await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}

pub async fn get_verification_info(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user = find_owner(&mut tx, asked).await?;
    let members = find_members(&mut tx, asked, user).await?;
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let mut answer = ResponseBody::new();
    if let Some(phone) = text("MobilePhone") {
        // `86-13900001111`: the area's code, and the number.
        let (area, number) = phone.split_once('-').unwrap_or(("86", phone));
        let device = json!({ "AreaCode": area, "PhoneNumber": number, "Status": "active" });
        answer.insert("SecurityPhoneDevice".to_owned(), device);
    }
    if let Some(email) = text("Email") {
        let device = json!({ "Email": email, "Status": "active" });
        answer.insert("SecurityEmailDevice".to_owned(), device);
    }
    Ok(answer)
}

pub async fn set_verification_info(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let parameter = verified_parameter(asked)?;
    let value = asked.must(parameter)?;
    if parameter == "Email" && !value.contains('@') {
        return Err(SandboxFault::format(parameter));
    }
    let mut tx = sandbox.pool.begin().await?;
    let user = find_owner(&mut tx, asked).await?;
    let mut members = find_members(&mut tx, asked, user).await?;
    members.insert(parameter.to_owned(), value.into());
    save_members(sandbox, asked, tx, user, members).await
}

pub async fn unbind_verification(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let parameter = verified_parameter(asked)?;
    let mut tx = sandbox.pool.begin().await?;
    let user = find_owner(&mut tx, asked).await?;
    let mut members = find_members(&mut tx, asked, user).await?;
    let bound = members.remove(parameter);
    let is_same = asked
        .get(parameter)
        .is_none_or(|given| bound.as_ref().and_then(Value::as_str) == Some(given));
    if bound.is_none() || !is_same {
        return Err(SandboxFault::not_exist(verifications(asked).kind.code()));
    }
    save_members(sandbox, asked, tx, user, members).await
}
