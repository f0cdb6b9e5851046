//! `POST /admin/v1/leak-reports`: an operator's report restricts the key, with the secret or without: it
//! is the decision.

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Admin, Problem,
    auth::Acting,
    extract::{Json, text},
};
use crate::{
    access_key::{AccessKeyId, AccessKeySecret},
    directory::within,
    registry::record::{LeakReport, record},
};

/// What is reported.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    access_key_id: AccessKeyId,
    #[serde(default)]
    access_key_secret: Option<Secret>,
    source: String,
    reference: String,
    #[serde(default)]
    url: Option<String>,
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
#[derive(Serialize)]
pub struct Receipt {
    report_id: Uuid,
    restriction_id: Uuid,
    revision: i64,
}

/// Records the report: 201, or 200 where this (source, reference) was recorded before.
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
