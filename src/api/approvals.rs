//! Approvals: changes that a second operator must approve.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::values::{BoundedText, PageSize, choice, optional_text_schema, text_schema};

/// An approval: a change that needs a second operator.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Approval)]
pub struct ApprovalView {
    /// UUID version 7.
    pub approval_id: Uuid,
    /// `Lift`, `UndoDelivery`, `Exception`, `DisableKey`, `SwitchMode` or `RestrictDescendants`.
    pub kind: String,
    /// The restriction or the delivery; all zeros for the mode.
    pub subject_id: Uuid,
    /// The key, if it is about one.
    pub access_key_id: Option<String>,
    /// The requested change.
    #[schema(value_type = Object)]
    pub request: serde_json::Value,
    /// Why, in the requester's words.
    pub reason: String,
    /// The requester: `operator:NAME`.
    pub requested_by: String,
    /// When it was requested.
    #[serde(with = "time::serde::rfc3339")]
    pub requested_at: OffsetDateTime,
    /// When it expires.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// `Pending`, `Approved`, `Rejected`, `Withdrawn`, `Expired` or `Void`.
    pub state: String,
    /// Who decided: `operator:NAME`; `akgate` for a void one.
    pub decided_by: Option<String>,
    /// When it was decided.
    #[serde(with = "time::serde::rfc3339::option")]
    pub decided_at: Option<OffsetDateTime>,
    /// The decision's reason, in the words of who decided.
    pub remark: Option<String>,
}

/// Which approvals to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ApprovalFilter {
    /// Only those in this state.
    #[serde(default, deserialize_with = "choice")]
    #[param(inline, nullable = false)]
    pub state: Option<ApprovalState>,
    /// The page size.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize,
    /// The `next_page_token` of the previous page.
    #[param(nullable = false)]
    pub page_token: Option<Uuid>,
}

akgate_rules::text_enum! {
    /// State of an approval.
    #[derive(ToSchema)]
    pub enum ApprovalState {
        /// No second operator has decided yet.
        Pending = "Pending",
        /// The change was made.
        Approved = "Approved",
        /// Another operator rejected it.
        Rejected = "Rejected",
        /// The requester withdrew it.
        Withdrawn = "Withdrawn",
        /// Nobody decided in time.
        Expired = "Expired",
        /// The facts made it pointless before anybody decided.
        Void = "Void",
    }
}

/// A page of results.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovalPage {
    /// Newest first.
    pub approvals: Vec<ApprovalView>,
    /// Send this as `page_token` to get the next page; null on the last page.
    pub next_page_token: Option<Uuid>,
}

/// The second operator's comment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRemark {
    /// A remark for the audit log.
    #[serde(default)]
    #[schema(schema_with = optional_text_schema::<1024>)]
    pub remark: Option<BoundedText<1024>>,
}

/// Why it is rejected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// An explanation for the requester.
    #[schema(schema_with = text_schema::<1024>)]
    pub remark: BoundedText<1024>,
}
