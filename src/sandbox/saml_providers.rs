//! SAML identity providers.

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

/// The longest metadata document, in characters of Base64.
const LONGEST_METADATA: usize = 102_400;

fn providers(asked: &SandboxRequest) -> RecordSet<'_> {
    asked.records(RecordKind::SamlProvider)
}

/// ARN of a SAML provider.
pub fn saml_provider_arn(account_id: &str, name: &str) -> String {
    format!("acs:ram::{account_id}:saml-provider/{name}")
}

fn shown(asked: &SandboxRequest, provider: &Record) -> Value {
    let arn = saml_provider_arn(&asked.caller.account_id, &provider.name);
    Value::Object(provider.shown([
        ("SAMLProviderName", provider.name.clone().into()),
        ("Arn", arn.into()),
    ]))
}

/// The members that a call gives, under the names that the provider has them.
fn given_members(
    asked: &SandboxRequest,
    description: &str,
    document: &str,
) -> Result<Map<String, Value>, SandboxFault> {
    let mut members = Map::new();
    if let Some(text) = check::optional_text(asked, description, 256)? {
        members.insert("Description".to_owned(), text.into());
    }
    if let Some(text) = check::optional_text(asked, document, LONGEST_METADATA)? {
        check::decode_base64(document, &text)?;
        members.insert("EncodedSAMLMetadataDocument".to_owned(), text.into());
    }
    match asked.get("AuthnSignAlgo") {
        None => {}
        Some(algorithm @ ("rsa-sha1" | "rsa-sha256")) => {
            members.insert("AuthnSignAlgo".to_owned(), algorithm.into());
        }
        Some(_) => return Err(SandboxFault::incorrect("AuthnSignAlgo")),
    }
    Ok(members)
}

async fn find_requested_provider(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<Record, SandboxFault> {
    find_record(tx, providers(asked), asked.must("SAMLProviderName")?).await
}

pub async fn create_saml_provider(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let name = asked.must("SAMLProviderName")?;
    let name = check::check_name_length(128, "SAMLProviderName", name, "._-")?;
    let mut body = Map::from_iter([
        ("Description".to_owned(), "".into()),
        ("AuthnSignAlgo".to_owned(), "rsa-sha256".into()),
        ("EncodedSAMLMetadataDocument".to_owned(), "".into()),
    ]);
    body.extend(given_members(
        asked,
        "Description",
        "EncodedSAMLMetadataDocument",
    )?);
    let mut tx = sandbox.pool.begin().await?;
    let now = sandbox.clock.now();
    let owner = RecordOwner::default();
    let provider = insert_record(&mut tx, providers(asked), name, owner, body, now).await?;
    tx.commit().await?;
    Ok(single_member("SAMLProvider", shown(asked, &provider)))
}

pub async fn get_saml_provider(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let provider = find_requested_provider(&mut tx, asked).await?;
    Ok(single_member("SAMLProvider", shown(asked, &provider)))
}

pub async fn list_saml_providers(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let page = PageRequest::asked(asked, 100)?;
    let owner = RecordOwner::default();
    let providers = list_records(&sandbox.pool, providers(asked), owner, &page).await?;
    let shown = providers
        .iter()
        .map(|provider| (provider.record_id, shown(asked, provider)));
    Ok(page.write(("SAMLProviders", "SAMLProvider"), shown))
}

pub async fn update_saml_provider(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let given = given_members(asked, "NewDescription", "NewEncodedSAMLMetadataDocument")?;
    let mut tx = sandbox.pool.begin().await?;
    let provider = find_requested_provider(&mut tx, asked).await?;
    let mut body = provider.body();
    body.extend(given);
    let provider = update_record(&mut tx, &provider, None, body, sandbox.clock.now()).await?;
    tx.commit().await?;
    Ok(single_member("SAMLProvider", shown(asked, &provider)))
}

pub async fn delete_saml_provider(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let provider = find_requested_provider(&mut tx, asked).await?;
    delete_record(&mut tx, &provider).await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}
