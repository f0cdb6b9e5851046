//! `/admin/v1/leak-reports`: an operator's report restricts the key with or without the secret, because the operator
//! has decided so. `GET` lists what every source has reported, suspicions included.

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use uuid::Uuid;

use crate::{
    context::AdminApi,
    http::{
        authentication::{CanAct, CanRead},
        extract::{Json, Query},
        problem::Problem,
        responses::CommonFaults,
    },
};
use akgate_api::{
    leak_reports::{
        LeakReportFilter, LeakReportPage, LeakReportReceipt, LeakedSecret, NewLeakReport,
    },
    problem::ProblemDetails,
    receipts::WaitQuery,
};
use akgate_rules::{
    leak::{LeakPlace, is_plausible_first_seen},
    lineage::DescendantPolicy,
};
use akgate_state::{
    directory::StateFault,
    leaks::record::{Delivery, LeakReport, ReportGrounds, SuspicionPolicy, record_reports},
    live::barrier::AffectedKeys,
    restrictions::reports::{ReportCriteria, list_reports as read},
};

/// Report a leaked AccessKey
///
/// The report restricts the key with or without the secret, because the operator has decided so. The answer comes when
/// every node enforces the restriction, and includes a receipt.
#[utoipa::path(
    post,
    path = "/admin/v1/leak-reports",
    operation_id = "reportLeak",
    tag = "leaks",
    params(WaitQuery),
    request_body = NewLeakReport,
    responses(
        (status = 201, description = "The report is recorded, and the key restricted.", body = LeakReportReceipt),
        (status = 200, description = "The key was already reported with this source and reference: new details are taken over.", body = LeakReportReceipt),
        (status = 409, description = "The key was already reported with this source and reference, and the restriction is lifted: nothing is restricted.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn report_leak(
    State(admin): State<AdminApi>,
    CanAct(actor): CanAct,
    Query(waiting): Query<WaitQuery>,
    Json(body): Json<NewLeakReport>,
) -> Result<(StatusCode, Answer<LeakReportReceipt>), Problem> {
    let now = admin.clock.now();
    if body
        .first_seen
        .is_some_and(|at| !is_plausible_first_seen(at, now))
    {
        return Err(Problem::unprocessable(
            "`first_seen` must be a time between 2009 and now: leave it out if it is not known.",
        ));
    }
    let concern = match admin.settings.descendants {
        DescendantPolicy::List | DescendantPolicy::Suspect => {
            AffectedKeys::Keys(vec![body.access_key_id.clone()])
        }
        DescendantPolicy::Restrict => AffectedKeys::All,
    };
    let reports = [LeakReport {
        access_key_id: Some(body.access_key_id),
        secret: body.access_key_secret.map(|LeakedSecret(secret)| secret),
        reference: Some(body.reference.into()),
        place: LeakPlace::new(body.url.as_deref(), None, None),
        first_seen: body.first_seen,
    }];
    let delivery = Delivery {
        source: &body.source,
        actor: &actor,
        grounds: ReportGrounds::Decision,
        suspicions: SuspicionPolicy::default(),
        descendants: admin.settings.descendants,
        ledger: None,
    };
    let recording = record_reports(&admin.pool, &admin.ring, &delivery, &reports, now);
    let recorded = admin.query(recording).await?;
    let recorded = recorded
        .first()
        .copied()
        .flatten()
        .ok_or(StateFault::Corrupt("a report of nothing"))?;
    if let Some(lifted) = recorded.lifted {
        return Err(already_lifted(recorded.report_id, lifted));
    }
    let restriction = recorded
        .restriction
        .ok_or(StateFault::Corrupt("a report that restricts nothing"))?;
    let position = restriction.position;
    let receipt = admin.receipt(position, concern, waiting.wait).await?;
    let status = if recorded.is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let receipt = LeakReportReceipt {
        report_id: recorded.report_id,
        restriction_id: restriction.restriction_id,
        revision: position.revision,
        receipt,
    };
    Ok((status, Answer(receipt)))
}

fn already_lifted(report_id: Uuid, restriction_id: Uuid) -> Problem {
    Problem::conflict(
        "report-already-lifted",
        "This report is recorded already, and its restriction is lifted.",
        format!(
            "Report {report_id} led to restriction {restriction_id}, which is lifted, so nothing is restricted now. If the AccessKey has leaked again, report it with another reference."
        ),
    )
}

/// List leak reports
///
/// Newest first: reports that restrict a key, and suspicions.
#[utoipa::path(
    get,
    path = "/admin/v1/leak-reports",
    operation_id = "listLeakReports",
    tag = "leaks",
    params(LeakReportFilter),
    responses((status = 200, description = "A page of results.", body = LeakReportPage), CommonFaults)
)]
pub async fn list_leak_reports(
    State(admin): State<AdminApi>,
    _: CanRead,
    Query(filter): Query<LeakReportFilter>,
) -> Result<Answer<LeakReportPage>, Problem> {
    let criteria = ReportCriteria {
        proof: filter.proof,
        source: filter.source,
        access_key_id: filter.access_key_id,
        delivery_id: filter.delivery_id,
        restriction_id: filter.restriction_id,
        before: filter.page_token,
        limit: filter.page_size.limit(),
    };
    let reports = admin.query(read(&admin.pool, &criteria)).await?;
    let (reports, next_page_token) = filter
        .page_size
        .paginate(reports, |report| report.report_id);
    Ok(Answer(LeakReportPage {
        reports,
        next_page_token,
    }))
}
