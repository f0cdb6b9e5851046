//! Deliveries of leak reports.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::values::{BoundedText, PageSize, text_schema};

/// A delivery of leak reports.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    /// UUID version 7.
    pub delivery_id: Uuid,
    /// The source of the reports.
    pub source: String,
    /// Who sent it: `source:NAME` or `operator:NAME`.
    pub delivered_by: String,
    /// The source's signing key; null if it is not signed.
    pub key_identifier: Option<String>,
    /// When it first arrived.
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
    /// When it last arrived.
    #[serde(with = "time::serde::rfc3339")]
    pub last_received_at: OffsetDateTime,
    /// How often it arrived.
    pub times: i32,
    /// Number of its reports that were new.
    pub reports: i64,
    /// Number of these that restrict a key.
    pub proven: i64,
    /// Number of restrictions that they led to or were added to.
    pub restrictions: i64,
    /// When it was undone.
    #[serde(with = "time::serde::rfc3339::option")]
    pub undone_at: Option<OffsetDateTime>,
    /// Who undid it: `operator:NAME`.
    pub undone_by: Option<String>,
    /// The reason, in the operator's words.
    pub undone_reason: Option<String>,
}

/// Which deliveries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeliveryFilter {
    /// The page size.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize<100, 20>,
    /// The `next_page_token` of the previous page.
    #[param(nullable = false)]
    pub page_token: Option<Uuid>,
}

/// A page of results.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeliveryPage {
    /// Newest first.
    pub deliveries: Vec<DeliveryView>,
    /// Send this as `page_token` to get the next page; null on the last page.
    pub next_page_token: Option<Uuid>,
}

/// Why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UndoDeliveryRequest {
    /// The reason, kept in the audit log and quoted in the letters.
    #[schema(schema_with = text_schema::<1024>)]
    pub reason: BoundedText<1024>,
}

/// What was undone.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UndoneDelivery {
    /// Number of restrictions that were lifted.
    pub lifted: usize,
    /// Number of restrictions that remain because other reports restrict the key as well.
    pub kept: usize,
    /// The revision from which on every node enforces it.
    pub revision: i64,
}
