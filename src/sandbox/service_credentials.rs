//! Credentials of a RAM user for one service. A secret is shown once and kept nowhere.

use serde_json::{Map, Value};
use sqlx::PgTransaction;
use time::Duration;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check,
    page::PageRequest,
    record_kind::{RecordKind, RecordSet},
    records::{
        Record, RecordOwner, delete_record, find_record, insert_record, list_records, update_record,
    },
    refused::SandboxFault,
    sandbox::Sandbox,
    user_lookup,
};

/// Credentials of one user for one service.
const MAX_CREDENTIALS: usize = 2;

fn credentials(asked: &SandboxRequest) -> RecordSet<'_> {
    asked.records(RecordKind::ServiceCredential)
}

async fn show_credential(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    credential: &Record,
) -> Result<Map<String, Value>, SandboxFault> {
    let principal = match credential.user_id {
        Some(user) => user_lookup::principal_name_of(tx, asked, user).await?,
        None => String::new(),
    };
    let created = check::format_date(credential.created_at);
    Ok(credential.shown([
        ("ServiceCredentialId", credential.name.clone().into()),
        ("UserPrincipalName", principal.into()),
        ("CreateTime", created.into()),
    ]))
}

/// The credential of the user that the call is about.
async fn find_requested_credential(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<Record, SandboxFault> {
    let user = user_lookup::find_user_or_caller(tx, asked).await?;
    let id = asked.must("ServiceCredentialId")?;
    let credential = find_record(tx, credentials(asked), id).await?;
    if credential.user_id == user {
        Ok(credential)
    } else {
        Err(SandboxFault::not_exist(credentials(asked).kind.code()))
    }
}

pub async fn create_service_credential(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let service = asked.must("ServiceName")?;
    let now = sandbox.clock.now();
    let name = check::optional_text(asked, "ServiceCredentialName", 128)?;
    let days = check::optional_number(asked, "CredentialAgeDays", &(1..=36_600))?;
    let expires = days.map(|days| check::format_date(now + Duration::days(days)));
    let mut tx = sandbox.pool.begin().await?;
    let user = user_lookup::find_user_or_caller(&mut tx, asked)
        .await?
        .ok_or_else(|| SandboxFault::missing("UserPrincipalName"))?;
    let owner = RecordOwner::user(user);
    let page = PageRequest::whole();
    let given = list_records(&mut *tx, credentials(asked), owner, &page).await?;
    let of_service = given
        .iter()
        .filter(|one| one.text("ServiceName") == service);
    if of_service.count() >= MAX_CREDENTIALS {
        return Err(SandboxFault::too_many(credentials(asked).kind.code()));
    }
    let id = format!("sc-{}", sandbox.random_text(20));
    let body = [
        ("ServiceName", service.to_owned()),
        ("ServiceCredentialName", name.unwrap_or_else(|| id.clone())),
        ("Status", "Active".to_owned()),
        ("ExpirationTime", expires.unwrap_or_default()),
    ];
    let body = body.map(|(name, text)| (name.to_owned(), text.into()));
    let set = credentials(asked);
    let credential = insert_record(&mut tx, set, &id, owner, Map::from_iter(body), now).await?;
    let mut shown = show_credential(&mut tx, asked, &credential).await?;
    tx.commit().await?;
    let secret = sandbox.random_text(44);
    shown.insert("ServiceCredentialSecret".to_owned(), secret.into());
    Ok(single_member("ServiceCredential", shown.into()))
}

pub async fn get_service_credential(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let credential = find_requested_credential(&mut tx, asked).await?;
    let shown = show_credential(&mut tx, asked, &credential).await?;
    Ok(single_member("ServiceCredential", shown.into()))
}

/// A page of credentials: of one user or of all, of one service or of all.
pub async fn list_service_credentials(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let page = PageRequest::read(asked, ("NextToken", "MaxResults"), 100)?;
    let mut tx = sandbox.pool.begin().await?;
    let owner = if check::optional_flag(asked, "AllUsers")?.unwrap_or_default() {
        RecordOwner::default()
    } else {
        RecordOwner {
            user_id: user_lookup::find_user_or_caller(&mut tx, asked).await?,
            parent_id: None,
        }
    };
    let whole = PageRequest::whole();
    let credentials = list_records(&mut *tx, credentials(asked), owner, &whole).await?;
    let service = asked.get("ServiceName");
    let read = credentials
        .iter()
        .filter(|one| one.record_id > page.after)
        .filter(|one| service.is_none_or(|service| one.text("ServiceName") == service))
        .map(|one| (one.record_id, one));
    let (on_page, next) = page.cut(read);
    let mut shown = Vec::new();
    for credential in on_page {
        let one = show_credential(&mut tx, asked, credential).await?;
        shown.push(Value::Object(one));
    }
    let mut answer = single_member("ServiceCredentials", shown.into());
    answer.insert("MaxResults".to_owned(), page.size().into());
    answer.insert("IsTruncated".to_owned(), next.is_some().into());
    if let Some(next) = next {
        answer.insert("NextToken".to_owned(), next.into());
    }
    Ok(answer)
}

pub async fn update_service_credential(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let status = match asked.get("Status") {
        None | Some("Active" | "Inactive") => asked.get("Status"),
        Some(_) => return Err(SandboxFault::incorrect("Status")),
    };
    let name = check::optional_text(asked, "ServiceCredentialName", 128)?;
    let mut tx = sandbox.pool.begin().await?;
    let credential = find_requested_credential(&mut tx, asked).await?;
    let mut body = credential.body();
    let given = [
        ("Status", status),
        ("ServiceCredentialName", name.as_deref()),
    ];
    for (member, text) in given {
        if let Some(text) = text {
            body.insert(member.to_owned(), text.into());
        }
    }
    let now = sandbox.clock.now();
    update_record(&mut tx, &credential, credential.user_id, body, now).await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}

pub async fn delete_service_credential(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let credential = find_requested_credential(&mut tx, asked).await?;
    delete_record(&mut tx, &credential).await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}
