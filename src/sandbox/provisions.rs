//! Applications that an account lets in: its own, and as external applications those of other accounts.

use serde_json::{Map, Value};
use sqlx::PgTransaction;

use super::{
    answer::{ResponseBody, single_member},
    applications::find_requested_application,
    asked::SandboxRequest,
    page::PageRequest,
    record_kind::{RecordKind, RecordSet},
    records::{Record, RecordOwner, delete_record, find_record, list_records, upsert_record},
    refused::SandboxFault,
    sandbox::Sandbox,
    scopes::read_scopes,
};

fn provisions(asked: &SandboxRequest) -> RecordSet<'_> {
    asked.records(RecordKind::ProvisionedApplication)
}

/// Whether a provision is of another account's application.
fn is_external(provision: &Record) -> bool {
    provision.member("TenantId").is_some()
}

fn shown(asked: &SandboxRequest, provision: &Record) -> Value {
    let account_id = &asked.caller.account_id;
    let principal = format!("{}@app.{account_id}.onaliyun.com", provision.name);
    let owner = match provision.text("TenantId") {
        "" => account_id.as_str(),
        tenant => tenant,
    };
    Value::Object(provision.shown([
        ("AppId", provision.name.clone().into()),
        ("ForeignAppId", provision.name.clone().into()),
        ("AccountId", account_id.clone().into()),
        ("TenantId", owner.into()),
        ("AppPrincipalName", principal.into()),
        ("AppCategory", "CUSTOM".into()),
        ("AssignmentType", "ALL".into()),
        ("NeedPrincipalConsent", false.into()),
    ]))
}

/// The provision of this id, of an application of the account's own or of another one's.
async fn find_requested_provision(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    external: bool,
) -> Result<Record, SandboxFault> {
    let provision = find_record(tx, provisions(asked), asked.must("AppId")?).await?;
    if is_external(&provision) == external {
        Ok(provision)
    } else {
        Err(SandboxFault::not_exist(provisions(asked).kind.code()))
    }
}

async fn save_provision(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    mut tx: PgTransaction<'_>,
    names: [(&str, Value); 2],
    owner: RecordOwner,
    tenant: Option<String>,
) -> Result<Record, SandboxFault> {
    let mut body: Map<String, Value> = names
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let scopes = read_scopes(asked, "Scopes", "Scopes")?;
    body.insert("DelegatedScope".to_owned(), scopes);
    if let Some(tenant) = tenant {
        body.insert("TenantId".to_owned(), tenant.into());
    }
    let (id, now) = (asked.must("AppId")?, sandbox.clock.now());
    let provision = upsert_record(&mut tx, provisions(asked), id, owner, body, now).await?;
    tx.commit().await?;
    Ok(provision)
}

pub async fn provision_application(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let application = find_requested_application(&mut tx, asked).await?;
    let names = ["AppName", "DisplayName"].map(|name| (name, application.text(name).into()));
    let owner = RecordOwner::parent(&application);
    let provision = save_provision(sandbox, asked, tx, names, owner, None).await?;
    Ok(single_member(
        "ApplicationProvisionInfo",
        shown(asked, &provision),
    ))
}

/// Lets in an application of another account that is open to all.
pub async fn provision_external_application(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let application = sqlx::query!(
        "SELECT record_id, account_id, body
         FROM sandbox.records
         WHERE kind = $1
           AND name = $2
           AND account_id <> $3
           AND body @> '{\"IsMultiTenant\": true}'",
        RecordKind::Application.code(),
        asked.must("AppId")?,
        asked.caller.account_id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(|| SandboxFault::not_exist("Application"))?;
    let member = |name: &str| application.body.get(name).cloned().unwrap_or_default();
    let names = ["AppName", "DisplayName"].map(|name| (name, member(name)));
    let owner = RecordOwner {
        user_id: None,
        parent_id: Some(application.record_id),
    };
    let tenant = Some(application.account_id.clone());
    let provision = save_provision(sandbox, asked, tx, names, owner, tenant).await?;
    Ok(single_member(
        "ExternalApplication",
        shown(asked, &provision),
    ))
}

/// Reads a provision, under the member that shows one.
pub async fn get_provision(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    member: &str,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let external = member == "ExternalApplication";
    let provision = find_requested_provision(&mut tx, asked, external).await?;
    Ok(single_member(member, shown(asked, &provision)))
}

/// Lists provisions, under the list's two names.
pub async fn list_provisions(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    names: (&str, &str),
) -> Result<ResponseBody, SandboxFault> {
    let external = names.1 == "ExternalApplication";
    let page = PageRequest::asked(asked, 1000)?;
    let owner = RecordOwner::default();
    let provisions = list_records(
        &sandbox.pool,
        provisions(asked),
        owner,
        &PageRequest::whole(),
    )
    .await?;
    let shown = provisions
        .iter()
        .filter(|one| one.record_id > page.after && is_external(one) == external)
        .map(|one| (one.record_id, shown(asked, one)));
    Ok(page.write(names, shown))
}

/// Locks an application out again.
pub async fn deprovision_application(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    external: bool,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let provision = find_requested_provision(&mut tx, asked, external).await?;
    delete_record(&mut tx, &provision).await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}
