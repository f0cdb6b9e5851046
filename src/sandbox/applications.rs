//! OAuth applications of an account, and their secrets. The service shows an application's secret again, so the sandbox
//! keeps it.

use serde_json::{Map, Value, json};
use sqlx::PgTransaction;

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
    scopes::read_scopes,
};

/// Secrets of an application.
const MAX_SECRETS: usize = 2;

/// How long tokens are valid, in seconds: by default and the range.
const ACCESS_TOKEN: (i64, std::ops::RangeInclusive<i64>) = (3600, 900..=10_800);
const REFRESH_TOKEN: (i64, std::ops::RangeInclusive<i64>) = (7_776_000, 7200..=31_536_000);

fn applications(asked: &SandboxRequest) -> RecordSet<'_> {
    asked.records(RecordKind::Application)
}

fn secrets(asked: &SandboxRequest) -> RecordSet<'_> {
    asked.records(RecordKind::AppSecret)
}

fn shown(asked: &SandboxRequest, application: &Record) -> Value {
    Value::Object(application.shown([
        ("AppId", application.name.clone().into()),
        ("AccountId", asked.caller.account_id.clone().into()),
    ]))
}

/// The application of this id, if it is the caller's account's.
pub async fn find_requested_application(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<Record, SandboxFault> {
    find_record(tx, applications(asked), asked.must("AppId")?).await
}

/// The members that `CreateApplication` gives, or with the prefix `New` `UpdateApplication`.
fn given_members(asked: &SandboxRequest, prefix: &str) -> Result<Map<String, Value>, SandboxFault> {
    let named = |name: &str| format!("{prefix}{name}");
    let seconds = |name: &str, range| check::optional_number(asked, &named(name), range);
    let flag = |name: &str| check::optional_flag(asked, &named(name));
    let (scopes, required) = (named("PredefinedScopes"), named("RequiredScopes"));
    let has_scopes = asked.get(&scopes).is_some() || asked.get(&required).is_some();
    let redirects = asked.get(&named("RedirectUris")).map(|text| {
        let uris: Vec<&str> = text.split(';').filter(|uri| !uri.is_empty()).collect();
        json!({ "RedirectUri": uris })
    });
    let given = [
        (
            "DisplayName",
            check::optional_text(asked, &named("DisplayName"), 24)?.map(Value::from),
        ),
        (
            "AccessTokenValidity",
            seconds("AccessTokenValidity", &ACCESS_TOKEN.1)?.map(Value::from),
        ),
        (
            "RefreshTokenValidity",
            seconds("RefreshTokenValidity", &REFRESH_TOKEN.1)?.map(Value::from),
        ),
        ("IsMultiTenant", flag("IsMultiTenant")?.map(Value::from)),
        ("SecretRequired", flag("SecretRequired")?.map(Value::from)),
        ("RedirectUris", redirects),
        (
            "DelegatedScope",
            has_scopes
                .then(|| read_scopes(asked, &scopes, &required))
                .transpose()?,
        ),
    ];
    Ok(given
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect())
}

pub async fn create_application(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let display_name = asked.must("DisplayName")?;
    let name = asked.get("AppName").unwrap_or(display_name);
    let app_type = asked.must("AppType")?;
    if !["WebApp", "NativeApp", "ServerApp"].contains(&app_type) {
        return Err(SandboxFault::incorrect("AppType"));
    }
    let protocol = match asked.get("ProtocolVersion") {
        None => "2.0",
        Some(version @ ("2.0" | "2.1")) => version,
        Some(_) => return Err(SandboxFault::incorrect("ProtocolVersion")),
    };
    let defaults = json!({
        "AppName": name,
        "AppType": app_type,
        "ProtocolVersion": protocol,
        "AccessTokenValidity": ACCESS_TOKEN.0,
        "RefreshTokenValidity": REFRESH_TOKEN.0,
        "IsMultiTenant": false,
        "SecretRequired": app_type != "NativeApp",
        "RedirectUris": { "RedirectUri": [] },
        "DelegatedScope": read_scopes(asked, "PredefinedScopes", "RequiredScopes")?,
    });
    let mut body = defaults.as_object().cloned().unwrap_or_default();
    body.extend(given_members(asked, "")?);
    let id = sandbox.random_digits(19);
    let mut tx = sandbox.pool.begin().await?;
    let now = sandbox.clock.now();
    let owner = RecordOwner::default();
    let application = insert_record(&mut tx, applications(asked), &id, owner, body, now).await?;
    tx.commit().await?;
    Ok(single_member("Application", shown(asked, &application)))
}

pub async fn get_application(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let application = find_requested_application(&mut tx, asked).await?;
    Ok(single_member("Application", shown(asked, &application)))
}

pub async fn list_applications(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let (owner, page) = (RecordOwner::default(), PageRequest::whole());
    let applications = list_records(&sandbox.pool, applications(asked), owner, &page).await?;
    let shown: Vec<Value> = applications.iter().map(|one| shown(asked, one)).collect();
    Ok(single_member(
        "Applications",
        json!({ "Application": shown }),
    ))
}

pub async fn update_application(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let given = given_members(asked, "New")?;
    let mut tx = sandbox.pool.begin().await?;
    let application = find_requested_application(&mut tx, asked).await?;
    let mut body = application.body();
    body.extend(given);
    let now = sandbox.clock.now();
    let application = update_record(&mut tx, &application, None, body, now).await?;
    tx.commit().await?;
    Ok(single_member("Application", shown(asked, &application)))
}

pub async fn delete_application(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let application = find_requested_application(&mut tx, asked).await?;
    delete_record(&mut tx, &application).await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}

fn shown_secret(secret: &Record) -> Value {
    Value::Object(secret.shown([("AppSecretId", secret.name.clone().into())]))
}

/// The secret of the application that the call is about.
async fn find_requested_secret(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<Record, SandboxFault> {
    let application = find_requested_application(tx, asked).await?;
    let secret = find_record(tx, secrets(asked), asked.must("AppSecretId")?).await?;
    if secret.text("AppId") == application.name {
        Ok(secret)
    } else {
        Err(SandboxFault::not_exist(RecordKind::AppSecret.code()))
    }
}

pub async fn create_app_secret(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let application = find_requested_application(&mut tx, asked).await?;
    let owner = RecordOwner::parent(&application);
    let page = PageRequest::whole();
    let given = list_records(&mut *tx, secrets(asked), owner, &page).await?;
    if given.len() >= MAX_SECRETS {
        return Err(SandboxFault::too_many(RecordKind::AppSecret.code()));
    }
    let body = Map::from_iter([
        ("AppId".to_owned(), application.name.clone().into()),
        ("AppSecretValue".to_owned(), sandbox.random_text(64).into()),
    ]);
    let id = sandbox.random_digits(19);
    let now = sandbox.clock.now();
    let secret = insert_record(&mut tx, secrets(asked), &id, owner, body, now).await?;
    tx.commit().await?;
    Ok(single_member("AppSecret", shown_secret(&secret)))
}

pub async fn get_app_secret(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let secret = find_requested_secret(&mut tx, asked).await?;
    Ok(single_member("AppSecret", shown_secret(&secret)))
}

pub async fn list_app_secret_ids(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let application = find_requested_application(&mut tx, asked).await?;
    let owner = RecordOwner::parent(&application);
    let page = PageRequest::whole();
    let secrets = list_records(&mut *tx, secrets(asked), owner, &page).await?;
    let shown: Vec<Value> = secrets.iter().map(shown_secret).collect();
    Ok(single_member("AppSecrets", json!({ "AppSecret": shown })))
}

pub async fn delete_app_secret(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let secret = find_requested_secret(&mut tx, asked).await?;
    delete_record(&mut tx, &secret).await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}
