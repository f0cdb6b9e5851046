//! `POST /admin/v1/leak-reports`: an operator's report restricts the key, with the secret or without: it
//! is the decision.

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Admin, Problem,
    auth::Acting,
    extract::{Json, optional_text_schema, text, text_schema},
    openapi::Faults,
};
use crate::{
    access_key::{AccessKeyId, AccessKeySecret},
    directory::within,
    registry::record::{LeakReport, record},
};

/// What is reported.
#[derive(Deserialize, ToSchema)]
#[schema(as = LeakReport)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// The key, known to the directory or not.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 128)]
    access_key_id: AccessKeyId,
    /// The secret that was found with it: compared, kept as a keyed digest, and forgotten.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
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
        String::deserialize(deserializer).map(|text| Self(AccessKeySecret::new(text)))
    }
}

/// What the report led to.
#[derive(Serialize, ToSchema)]
#[schema(as = LeakReportReceipt)]
pub struct Receipt {
    /// The report.
    report_id: Uuid,
    /// The restriction that it led to, or was added to.
    restriction_id: Uuid,
    /// The revision from which on every node enforces it.
    revision: i64,
}

/// Report a leaked AccessKey
///
/// The report restricts the key, with the secret or without: it is the operator's decision. It is enforced on this
/// node before the answer.
#[utoipa::path(
    post,
    path = "/admin/v1/leak-reports",
    operation_id = "reportLeak",
    tag = "leaks",
    request_body = Body,
    responses(
        (status = 201, description = "The report is recorded, and the key restricted.", body = Receipt),
        (status = 200, description = "This (source, reference) was recorded before; nothing was changed.", body = Receipt),
        Faults,
    )
)]
pub async fn create(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Json(body): Json<Body>,
) -> Result<(StatusCode, Answer<Receipt>), Problem> {
    text("source", &body.source, 64)?;
    text("reference", &body.reference, 256)?;
    if let Some(url) = &body.url {
        text("url", url, 2048)?;
    }
    let report = LeakReport {
        access_key_id: body.access_key_id,
        secret: body.access_key_secret.map(|Secret(secret)| secret),
        source: body.source,
        reference: body.reference,
        url: body.url,
        first_seen: body.first_seen,
        actor,
    };
    let now = admin.clock.now();
    let recorded = within(
        admin.timeout,
        record(&admin.pool, &admin.ring, &report, now),
    )
    .await?;
    admin.enforce(recorded.revision).await;
    let status = if recorded.is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let receipt = Receipt {
        report_id: recorded.report_id,
        restriction_id: recorded.restriction_id,
        revision: recorded.revision,
    };
    Ok((status, Answer(receipt)))
}
