//! Exceptions: operations that a restricted key may still perform.

use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use utoipa::{
    IntoParams, ToSchema,
    openapi::{Array, ArrayBuilder, ObjectBuilder, Type},
};
use uuid::Uuid;

use crate::values::{BoundedText, PageSize, choice, text_schema, whole_number};
use akgate_rules::{
    access_key::AccessKeyId,
    exception::{MAX_DURATION, MAX_NETWORKS, MAX_OPERATIONS, NamedOperation},
};

/// An exception.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Exception)]
pub struct ExceptionView {
    /// UUID version 7.
    pub exception_id: Uuid,
    /// The restriction that it is an exception from.
    pub restriction_id: Uuid,
    /// The restricted key.
    pub access_key_id: String,
    /// The operations that it allows: `PRODUCT:Action`.
    pub operations: Vec<String>,
    /// The networks that it allows them from, in CIDR notation.
    pub networks: Vec<String>,
    /// Why, in the requester's words.
    pub reason: String,
    /// The requester: `operator:NAME`.
    pub requested_by: String,
    /// The approver: `operator:NAME`.
    pub approved_by: String,
    /// When it was approved and began.
    #[serde(with = "time::serde::rfc3339")]
    pub approved_at: OffsetDateTime,
    /// When it expires.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// When it was ended early.
    #[serde(with = "time::serde::rfc3339::option")]
    pub revoked_at: Option<OffsetDateTime>,
    /// Who ended it: `operator:NAME`.
    pub revoked_by: Option<String>,
    /// `Active`, `Revoked`, `Expired`, or `Ended` if its restriction is lifted.
    pub state: String,
}

/// Which exceptions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ExceptionFilter {
    /// Only those of this access key.
    #[param(nullable = false)]
    pub access_key_id: Option<String>,
    /// Only those in this state.
    #[serde(default, deserialize_with = "choice")]
    #[param(inline, nullable = false)]
    pub state: Option<ExceptionState>,
    /// The page size.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize,
    /// The `next_page_token` of the previous page.
    #[param(nullable = false)]
    pub page_token: Option<Uuid>,
}

akgate_rules::text_enum! {
    /// State of an exception.
    #[derive(ToSchema)]
    pub enum ExceptionState {
        /// It is in force.
        Active = "Active",
        /// It was ended early.
        Revoked = "Revoked",
        /// It has expired.
        Expired = "Expired",
        /// Its restriction is lifted.
        Ended = "Ended",
    }
}

/// A page of results.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExceptionPage {
    /// Newest first.
    pub exceptions: Vec<ExceptionView>,
    /// Send this as `page_token` to get the next page; null on the last page.
    pub next_page_token: Option<Uuid>,
}

/// What the exception allows.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewException {
    /// The restricted key.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 128)]
    pub access_key_id: AccessKeyId,
    /// The operations it allows, one by one: `RAM:CreateAccessKey`.
    #[schema(schema_with = operations_schema)]
    pub operations: Vec<NamedOperation>,
    /// The networks it allows them from: CIDR, at most a /16 (IPv6: /32), or single addresses.
    #[schema(schema_with = networks_schema)]
    pub networks: Vec<String>,
    /// How many hours it lasts after the approval.
    #[serde(deserialize_with = "hours")]
    #[schema(value_type = u16, minimum = 1, maximum = 72)]
    pub hours: u8,
    /// The reason, kept in the audit log.
    #[schema(schema_with = text_schema::<1024>)]
    pub reason: BoundedText<1024>,
}

fn hours<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    whole_number(deserializer, 1..=MAX_DURATION.whole_hours())
}

fn operations_schema() -> Array {
    const PATTERN: &str = "^[A-Za-z0-9_-]{1,64}:[A-Za-z0-9_-]{1,64}$";
    list_of(129, PATTERN, MAX_OPERATIONS)
}

fn networks_schema() -> Array {
    // An IPv4 address or network; an IPv6 one, in full or with `::` once.
    const PATTERN: &str = "^((((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(/(1[6-9]|2[0-9]|3[0-2]))?)\
        |(([0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{1,4}){7}|([0-9A-Fa-f]{1,4}:){1,6}:([0-9A-Fa-f]{1,4})?|([0-9A-Fa-f]{1,4}:){1,4}(:[0-9A-Fa-f]{1,4}){1,3})(/(3[2-9]|[4-9][0-9]|1[01][0-9]|12[0-8]))?))$";
    list_of(64, PATTERN, MAX_NETWORKS)
}

fn list_of(longest: usize, pattern: &str, most: usize) -> Array {
    let item = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(longest))
        .pattern(Some(pattern));
    ArrayBuilder::new()
        .items(item)
        .min_items(Some(1))
        .max_items(Some(most))
        .build()
}
