//! The report on credentials: a CSV of the account and its users, made when it is asked for.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Map;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check,
    page::PageRequest,
    record_kind::RecordKind,
    records::{RecordOwner, find_record, upsert_record},
    refused::SandboxFault,
    sandbox::Sandbox,
};

/// The first line.
const HEADER: &str =
    "user,user_creation_time,console_logon_enabled,mfa_active,access_keys,active_access_keys";

/// Writes the report at once: nobody has to wait for it.
pub async fn generate_credential_report(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let rows = sqlx::query!(
        "SELECT
             u.user_name,
             u.created_at,
             EXISTS (SELECT 1 FROM sandbox.login_profiles l WHERE l.user_id = u.user_id) AS \"has_login!\",
             EXISTS (
                 SELECT 1
                 FROM sandbox.records r
                 WHERE r.user_id = u.user_id
                   AND r.kind = $2
             ) AS \"has_device!\",
             count(k.access_key_id) AS \"keys!\",
             count(k.access_key_id) FILTER (WHERE k.status = 'Active') AS \"active_keys!\"
         FROM sandbox.users u
         LEFT JOIN sandbox.access_keys k USING (user_id)
         WHERE u.account_id = $1
         GROUP BY u.user_id
         ORDER BY u.user_id",
        asked.caller.account_id,
        RecordKind::MfaDevice.code()
    )
    .fetch_all(&sandbox.pool)
    .await?;
    let lines: Vec<String> = rows
        .into_iter()
        .map(|row| {
            [
                asked.principal_name(&row.user_name),
                check::format_date(row.created_at),
                row.has_login.to_string(),
                row.has_device.to_string(),
                row.keys.to_string(),
                row.active_keys.to_string(),
            ]
            .join(",")
        })
        .collect();
    let set = asked.records(RecordKind::CredentialReport);
    let body = Map::from_iter([("Lines".to_owned(), lines.into())]);
    let mut tx = sandbox.pool.begin().await?;
    let owner = RecordOwner::default();
    upsert_record(&mut tx, set, "", owner, body, sandbox.clock.now()).await?;
    tx.commit().await?;
    Ok(single_member("State", "COMPLETE".into()))
}

/// A page of the report, in Base64; each begins with the header.
pub async fn get_credential_report(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let page = PageRequest::read(asked, ("NextToken", "MaxItems"), 1000)?;
    let mut tx = sandbox.pool.begin().await?;
    let report = find_record(&mut tx, asked.records(RecordKind::CredentialReport), "").await?;
    let lines = report.member("Lines").and_then(|lines| lines.as_array());
    let numbered = (1..).zip(lines.into_iter().flatten().filter_map(|line| line.as_str()));
    let (lines, next) = page.cut(numbered.filter(|(number, _)| *number > page.after));
    let content = [&[HEADER], lines.as_slice()].concat().join("\n");
    let mut answer = single_member("Content", STANDARD.encode(content).into());
    let generated = report.update_date();
    answer.insert("GeneratedTime".to_owned(), generated.into());
    // A text, unlike everywhere else.
    answer.insert("IsTruncated".to_owned(), next.is_some().to_string().into());
    if let Some(next) = next {
        answer.insert("NextToken".to_owned(), next.into());
    }
    Ok(answer)
}
