//! OIDC identity providers, with their clients and the fingerprints of their certificates.

use serde_json::{Map, Value};
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
};

/// How long after its issue a token is taken, in hours: by default and the range.
const ISSUANCE_LIMIT: (i64, std::ops::RangeInclusive<i64>) = (12, 1..=168);

/// A list that is shown as one text with commas.
#[derive(Clone, Copy)]
pub struct ProviderList {
    /// The parameter that names one item.
    item: &'static str,
    /// The member.
    member: &'static str,
    /// Items of a provider.
    most: usize,
}

/// The clients that tokens may be issued to.
pub const CLIENT_IDS: ProviderList = ProviderList {
    item: "ClientId",
    member: "ClientIds",
    most: 50,
};

/// The certificates that the issuer may show.
pub const FINGERPRINTS: ProviderList = ProviderList {
    item: "Fingerprint",
    member: "Fingerprints",
    most: 5,
};

impl ProviderList {
    /// The items of a provider.
    pub fn items<'r>(&self, provider: &'r Record) -> impl Iterator<Item = &'r str> {
        split_items(provider.text(self.member))
    }

    fn read(&self, text: &str) -> Result<String, SandboxFault> {
        let items: Vec<&str> = split_items(text).collect();
        if items.len() > self.most {
            return Err(SandboxFault::too_many(self.member));
        }
        Ok(items.join(","))
    }
}

fn split_items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn providers(asked: &SandboxRequest) -> RecordSet<'_> {
    asked.records(RecordKind::OidcProvider)
}

/// ARN of an OIDC provider.
pub fn oidc_provider_arn(account_id: &str, name: &str) -> String {
    format!("acs:ram::{account_id}:oidc-provider/{name}")
}

fn shown(asked: &SandboxRequest, provider: &Record) -> Value {
    let arn = oidc_provider_arn(&asked.caller.account_id, &provider.name);
    let mut shown = provider.shown([
        ("OIDCProviderName", provider.name.clone().into()),
        ("Arn", arn.into()),
    ]);
    for (name, same) in [("GmtCreate", "CreateDate"), ("GmtModified", "UpdateDate")] {
        let date = shown.get(same).cloned().unwrap_or_default();
        shown.insert(name.to_owned(), date);
    }
    Value::Object(shown)
}

async fn find_requested_provider(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<Record, SandboxFault> {
    find_record(tx, providers(asked), asked.must("OIDCProviderName")?).await
}

async fn save_provider(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    mut tx: PgTransaction<'_>,
    provider: &Record,
    body: Map<String, Value>,
) -> Result<ResponseBody, SandboxFault> {
    let provider = update_record(&mut tx, provider, None, body, sandbox.clock.now()).await?;
    tx.commit().await?;
    Ok(single_member("OIDCProvider", shown(asked, &provider)))
}

pub async fn create_oidc_provider(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let name = asked.must("OIDCProviderName")?;
    let name = check::check_name_length(128, "OIDCProviderName", name, "._-")?;
    let issuer = asked.must("IssuerUrl")?;
    if !issuer.starts_with("https://") || issuer.len() > 255 {
        return Err(SandboxFault::format("IssuerUrl"));
    }
    let (default_limit, limits) = ISSUANCE_LIMIT;
    let limit = check::optional_number(asked, "IssuanceLimitTime", &limits)?;
    let description = check::optional_text(asked, "Description", 256)?;
    let list = |list: ProviderList| list.read(asked.get(list.member).unwrap_or_default());
    let body = [
        ("IssuerUrl", Value::from(issuer)),
        ("Description", description.unwrap_or_default().into()),
        ("IssuanceLimitTime", limit.unwrap_or(default_limit).into()),
        ("ClientIds", list(CLIENT_IDS)?.into()),
        ("Fingerprints", list(FINGERPRINTS)?.into()),
    ];
    let body = body.map(|(name, value)| (name.to_owned(), value));
    let mut tx = sandbox.pool.begin().await?;
    let now = sandbox.clock.now();
    let owner = RecordOwner::default();
    let set = providers(asked);
    let provider = insert_record(&mut tx, set, name, owner, Map::from_iter(body), now).await?;
    tx.commit().await?;
    Ok(single_member("OIDCProvider", shown(asked, &provider)))
}

pub async fn get_oidc_provider(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let provider = find_requested_provider(&mut tx, asked).await?;
    Ok(single_member("OIDCProvider", shown(asked, &provider)))
}

pub async fn list_oidc_providers(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let page = PageRequest::asked(asked, 100)?;
    let owner = RecordOwner::default();
    let providers = list_records(&sandbox.pool, providers(asked), owner, &page).await?;
    let shown = providers
        .iter()
        .map(|provider| (provider.record_id, shown(asked, provider)));
    Ok(page.write(("OIDCProviders", "OIDCProvider"), shown))
}

pub async fn update_oidc_provider(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let (_, limits) = ISSUANCE_LIMIT;
    let given = [
        (
            "Description",
            check::optional_text(asked, "NewDescription", 256)?.map(Value::from),
        ),
        (
            "IssuanceLimitTime",
            check::optional_number(asked, "IssuanceLimitTime", &limits)?.map(Value::from),
        ),
        (
            "ClientIds",
            asked
                .get("ClientIds")
                .map(|text| CLIENT_IDS.read(text))
                .transpose()?
                .map(Value::from),
        ),
    ];
    let mut tx = sandbox.pool.begin().await?;
    let provider = find_requested_provider(&mut tx, asked).await?;
    let mut body = provider.body();
    for (name, value) in given {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    }
    save_provider(sandbox, asked, tx, &provider, body).await
}

/// Adds an item to a list; one that it has already changes nothing.
pub async fn add_to_provider(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    list: ProviderList,
) -> Result<ResponseBody, SandboxFault> {
    let item = asked.must(list.item)?;
    if item.contains(',') {
        return Err(SandboxFault::invalid_chars(list.item));
    }
    let mut tx = sandbox.pool.begin().await?;
    let provider = find_requested_provider(&mut tx, asked).await?;
    let has_item = list.items(&provider).any(|one| one == item);
    let mut body = provider.body();
    if !has_item {
        let items = list.read(&format!("{},{item}", provider.text(list.member)))?;
        body.insert(list.member.to_owned(), items.into());
    }
    save_provider(sandbox, asked, tx, &provider, body).await
}

pub async fn remove_from_provider(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    list: ProviderList,
) -> Result<ResponseBody, SandboxFault> {
    let item = asked.must(list.item)?;
    let mut tx = sandbox.pool.begin().await?;
    let provider = find_requested_provider(&mut tx, asked).await?;
    let left: Vec<&str> = list.items(&provider).filter(|one| *one != item).collect();
    if left.len() == list.items(&provider).count() {
        return Err(SandboxFault::not_exist(match list.item {
            "ClientId" => "OIDCProvider.ClientId",
            _ => "OIDCProvider.Fingerprint",
        }));
    }
    let mut body = provider.body();
    body.insert(list.member.to_owned(), left.join(",").into());
    save_provider(sandbox, asked, tx, &provider, body).await
}

pub async fn delete_oidc_provider(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let provider = find_requested_provider(&mut tx, asked).await?;
    delete_record(&mut tx, &provider).await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}
