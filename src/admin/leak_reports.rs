//! `/admin/v1/leak-reports`: an operator's report restricts the key, with the secret or without: it is the decision.
//! `GET` lists what every source has reported, suspicions included.

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Admin, Problem,
    auth::{Acting, Reader},
    extract::{Json, Query, cut, optional_text_schema, page_size, text, text_schema},
    openapi::Faults,
    receipt::Waiting,
};
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    leak::{Place, Proof},
};
use akgate_state::{
    directory::{StateFault, within},
    leaks::record::{Delivery, Grounds, LeakReport, Suspicions, record},
    live::barrier::{self, Concern},
    restrictions::reports::{ReportView, Wanted, list as read},
};

/// A leak report.
#[derive(Deserialize, ToSchema)]
#[schema(as = LeakReport)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// The key, whether or not it is in the directory.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 128)]
    access_key_id: AccessKeyId,
    /// The secret that was found with it. It is compared, kept as a keyed digest, and forgotten.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    access_key_secret: Option<Secret>,
    /// Who found it.
    #[schema(schema_with = text_schema::<64>)]
    source: String,
    /// The source's own id of the finding: the same (source, reference) counts once.
    #[schema(schema_with = text_schema::<256>)]
    reference: String,
    /// Where it was found.
    #[serde(default)]
    #[schema(schema_with = optional_text_schema::<2048>)]
    url: Option<String>,
    /// When the source first saw it.
    #[serde(default, with = "time::serde::rfc3339::option")]
    first_seen: Option<OffsetDateTime>,
}

/// A secret on its way to its digest.
struct Secret(AccessKeySecret);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let length = text.chars().count();
        let secret = AccessKeySecret::new(text);
        match length <= 1024 {
            true => Ok(Self(secret)),
            false => Err(serde::de::Error::custom(
                "a secret may have at most 1024 characters",
            )),
        }
    }
}

/// The outcome of the report.
#[derive(Serialize, ToSchema)]
#[schema(as = LeakReportReceipt)]
pub struct Receipt {
    /// The report.
    report_id: Uuid,
    /// The restriction that it led to, or was added to.
    restriction_id: Uuid,
    /// The revision from which on every node enforces it.
    revision: i64,
    /// The nodes that enforce it.
    receipt: barrier::Receipt,
}

/// Report a leaked AccessKey
///
/// The report restricts the key with or without the secret, because the operator has decided so. The answer comes when
/// every node enforces the restriction, and includes a receipt.
#[utoipa::path(
    post,
    path = "/admin/v1/leak-reports",
    operation_id = "reportLeak",
    tag = "leaks",
    params(Waiting),
    request_body = Body,
    responses(
        (status = 201, description = "The report is recorded, and the key restricted.", body = Receipt),
        (status = 200, description = "This (source, reference) was already recorded; nothing has changed.", body = Receipt),
        Faults,
    )
)]
pub async fn create(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Query(waiting): Query<Waiting>,
    Json(body): Json<Body>,
) -> Result<(StatusCode, Answer<Receipt>), Problem> {
    text("source", &body.source, 64)?;
    text("reference", &body.reference, 256)?;
    if let Some(url) = &body.url {
        text("url", url, 2048)?;
    }
    let concern = Concern::Keys(vec![body.access_key_id.clone()]);
    let reports = [LeakReport {
        access_key_id: Some(body.access_key_id),
        secret: body.access_key_secret.map(|Secret(secret)| secret),
        reference: Some(body.reference),
        place: Place::new(body.url.as_deref(), None, None),
        first_seen: body.first_seen,
    }];
    let delivery = Delivery {
        source: &body.source,
        actor: &actor,
        grounds: Grounds::Decision,
        suspicions: Suspicions::default(),
        ledger: None,
    };
    let now = admin.clock.now();
    let recording = record(&admin.pool, &admin.ring, &delivery, &reports, now);
    let recorded = within(admin.timeout, recording).await?;
    let (recorded, restriction) = recorded
        .first()
        .copied()
        .flatten()
        .and_then(|recorded| Some((recorded, recorded.restriction?)))
        .ok_or(StateFault::Corrupt("a report that restricts nothing"))?;
    let position = restriction.position;
    let receipt = admin.receipt(position, concern, waiting.wait).await?;
    let status = if recorded.is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let receipt = Receipt {
        report_id: recorded.report_id,
        restriction_id: restriction.restriction_id,
        revision: position.revision,
        receipt,
    };
    Ok((status, Answer(receipt)))
}

/// Which reports to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only those proven to this degree; suspicions are `Suspected`.
    #[param(value_type = Option<ProofName>, inline, nullable = false)]
    proof: Option<String>,
    /// Only those from this source.
    #[param(nullable = false)]
    source: Option<String>,
    /// Only those of this key, or of a session that descends from it.
    #[param(nullable = false)]
    access_key_id: Option<String>,
    /// Only those of this delivery.
    #[param(nullable = false)]
    delivery_id: Option<Uuid>,
    /// The page size.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    page_size: Option<i64>,
    /// The `next_page_token` of the previous page.
    #[param(nullable = false)]
    page_token: Option<Uuid>,
}

/// To which degree a report is proven.
#[derive(ToSchema)]
#[schema(as = Proof)]
#[expect(dead_code, reason = "the schema of a text")]
enum ProofName {
    Suspected,
    Secret,
    Pair,
    Decided,
}

/// A page of results.
#[derive(Serialize, ToSchema)]
#[schema(as = LeakReports)]
pub struct Page {
    /// Newest first.
    reports: Vec<ReportView>,
    /// Send this as `page_token` to get the next page; null on the last page.
    next_page_token: Option<Uuid>,
}

/// List leak reports
///
/// Newest first: reports that restrict a key, and suspicions.
#[utoipa::path(
    get,
    path = "/admin/v1/leak-reports",
    operation_id = "listLeakReports",
    tag = "leaks",
    params(Filter),
    responses((status = 200, description = "A page of results.", body = Page), Faults)
)]
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<Filter>,
) -> Result<Answer<Page>, Problem> {
    let proof = filter
        .proof
        .map(|proof| proof.parse::<Proof>())
        .transpose()
        .map_err(|_| Problem::invalid("`proof` must be Suspected, Secret, Pair or Decided."))?;
    let size = page_size(filter.page_size, 500)?;
    let wanted = Wanted {
        proof,
        source: filter.source,
        access_key_id: filter.access_key_id,
        delivery_id: filter.delivery_id,
        before: filter.page_token,
        limit: size + 1,
    };
    let mut reports = within(admin.timeout, read(&admin.pool, &wanted)).await?;
    let next_page_token = cut(&mut reports, size, |report| report.report_id);
    Ok(Answer(Page {
        reports,
        next_page_token,
    }))
}
