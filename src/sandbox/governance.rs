//! The report on governance: figures that are counted when it is asked for.

use serde_json::{Map, Value, json};
use sqlx::PgTransaction;

use super::{
    account_census::{AccountCensus, count_account},
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    page::PageRequest,
    record_kind::RecordKind,
    records::{Record, RecordOwner, find_record, upsert_record},
    refused::SandboxFault,
    sandbox::Sandbox,
};

/// A figure of the report: its name, and how it is counted.
type GovernanceItem = (&'static str, fn(&AccountCensus) -> i64);

const ITEMS: [GovernanceItem; 5] = [
    ("RootUserAccessKeyCount", |census| census.root_keys),
    ("RamUserCount", |census| census.users),
    ("RamUserWithMfaCount", |census| census.users_with_mfa),
    ("OldAccessKeyCount", |census| census.old_keys),
    ("UnusedAccessKeyCount", |census| census.unused_keys),
];

/// The type of every figure.
const METRIC_TYPE: &str = "NUMBER";

/// `State` and `Status` of a report that is there.
const COMPLETE: &str = "COMPLETE";

pub async fn generate_governance_report(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let census = count_account(sandbox, asked).await?;
    let body: Map<String, Value> = ITEMS
        .iter()
        .map(|(name, count)| ((*name).to_owned(), count(&census).into()))
        .collect();
    let set = asked.records(RecordKind::GovernanceReport);
    let owner = RecordOwner::default();
    let mut tx = sandbox.pool.begin().await?;
    upsert_record(&mut tx, set, "", owner, body, sandbox.clock.now()).await?;
    tx.commit().await?;
    Ok(single_member("State", COMPLETE.into()))
}

async fn find_report(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<Record, SandboxFault> {
    find_record(tx, asked.records(RecordKind::GovernanceReport), "").await
}

pub async fn get_governance_report_status(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    find_report(&mut tx, asked).await?;
    let items = ITEMS.map(|(name, _)| json!({ "GovernanceItem": name, "Status": COMPLETE }));
    let mut answer = single_member("WholeReportStatus", COMPLETE.into());
    answer.insert(
        "GovernanceItemsStatus".to_owned(),
        json!({ "GovernanceItemStatus": items }),
    );
    Ok(answer)
}

pub async fn list_governance_metrics(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let report = find_report(&mut tx, asked).await?;
    let metrics = ITEMS.map(|(name, _)| {
        json!({
            "GovernanceItem": name,
            "MetricType": METRIC_TYPE,
            "MetricValue": report.member(name),
        })
    });
    let mut answer = single_member("GovernanceMetrics", json!({ "GovernanceMetric": metrics }));
    answer.insert("GenerateTime".to_owned(), report.update_date().into());
    Ok(answer)
}

/// One figure, and the users that there are: a row each.
pub async fn get_governance_item_report(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let page = PageRequest::asked(asked, 100)?;
    let wanted = asked.must("GovernanceItemType")?;
    let mut tx = sandbox.pool.begin().await?;
    let report = find_report(&mut tx, asked).await?;
    let value = report
        .member(wanted)
        .ok_or_else(|| SandboxFault::incorrect("GovernanceItemType"))?
        .clone();
    let users = sqlx::query!(
        "SELECT user_id, user_name
         FROM sandbox.users
         WHERE account_id = $1
           AND user_id > $2
         ORDER BY user_id
         LIMIT $3",
        asked.caller.account_id,
        page.after,
        page.limit()
    )
    .fetch_all(&mut *tx)
    .await?;
    let rows = users.into_iter().map(|user| {
        let row = [
            user.user_id.to_string(),
            asked.principal_name(&user.user_name),
        ];
        (user.user_id, json!({ "ColumnValue": row }))
    });
    let columns = ["UserId", "UserPrincipalName"]
        .map(|name| json!({ "ColumnName": name, "ColumnType": "STRING" }));
    let mut answer = page.write(("ColumnsValue", "ColumnRow"), rows);
    let members = [
        ("ColumnsSchema", json!({ "ColumnSchema": columns })),
        ("GenerateTime", report.update_date().into()),
        ("MetricType", METRIC_TYPE.into()),
        ("MetricValue", value),
    ];
    for (name, value) in members {
        answer.insert(name.to_owned(), value);
    }
    Ok(answer)
}
