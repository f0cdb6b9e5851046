//! Restrictions.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    leak_reports::ReportView,
    schema_names::{ResolutionName, RestrictionStateName},
    values::{BoundedText, PageSize, choice, text_schema},
};
use akgate_rules::restriction::{Resolution, RestrictionState};

/// A restriction with its key and its leak reports.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Restriction)]
pub struct RestrictionView {
    /// UUID version 7.
    pub restriction_id: Uuid,
    /// The key.
    pub access_key_id: String,
    /// The key's account; null if the key is unknown.
    pub account_id: Option<String>,
    /// The key's RAM user; null for the account itself.
    pub user_name: Option<String>,
    /// `Active`, `Inactive` or `Deleted`; null if the key is unknown.
    pub key_status: Option<String>,
    /// `Imposed`, `Confirmed` or `Lifted`.
    pub state: String,
    /// `Reported`, `Reactivated` or `Descendant`.
    pub cause: String,
    /// When it was imposed.
    #[serde(with = "time::serde::rfc3339")]
    pub imposed_at: OffsetDateTime,
    /// When the clean-up was confirmed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub confirmed_at: Option<OffsetDateTime>,
    /// Who confirmed it: `contact:ID` or `operator:NAME`.
    pub confirmed_by: Option<String>,
    /// Ticket number of a confirmation recorded by an operator.
    pub ticket: Option<String>,
    /// When it was lifted.
    #[serde(with = "time::serde::rfc3339::option")]
    pub lifted_at: Option<OffsetDateTime>,
    /// Who lifted it: `operator:NAME` or `policy`.
    pub lifted_by: Option<String>,
    /// Why it was lifted, in the operator's words.
    pub lift_reason: Option<String>,
    /// The resolution: `Rotated`, `Disabled`, `Deleted`, `FalsePositive`, `UsedInTests` or `AcceptedRisk`.
    pub resolution: Option<String>,
    /// The approver of a lift that needed approval: `operator:NAME`.
    pub approved_by: Option<String>,
    /// It was undone, as if it had never existed: neither sessions nor the key, if it comes back, are restricted by it.
    pub undone: bool,
    /// If the key is enabled or restored again, it is restricted again.
    pub tombstone: bool,
    /// When the owner was first notified; the reminders and escalation steps count from here.
    #[serde(with = "time::serde::rfc3339::option")]
    pub notified_at: Option<OffsetDateTime>,
    /// Since when sensitive reads are refused too.
    #[serde(with = "time::serde::rfc3339::option")]
    pub widened_at: Option<OffsetDateTime>,
    /// When the account's other contacts were notified.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_contacts_at: Option<OffsetDateTime>,
    /// When operators were asked to disable the key.
    #[serde(with = "time::serde::rfc3339::option")]
    pub disabling_proposed_at: Option<OffsetDateTime>,
    /// The restriction of the key that made this one, or what it came through; null if the key leaked itself.
    #[serde(default)]
    pub ancestor_restriction_id: Option<Uuid>,
    /// What the key made since then is restricted too, as it becomes known; null if what it made stays free.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub descendants_since: Option<OffsetDateTime>,
    /// When a source first saw the key, by the earliest of all its reports; null if none says so.
    #[serde(with = "time::serde::rfc3339::option")]
    pub first_seen: Option<OffsetDateTime>,
    /// The number of its leak reports.
    pub report_count: i64,
    /// The newest of them, at most 100, oldest first; the others are under `GET /admin/v1/leak-reports?restriction_id=`.
    pub reports: Vec<ReportView>,
}

/// Where the owner's confirmation is recorded.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The number of the ticket in which the owner confirmed.
    #[schema(schema_with = text_schema::<128>)]
    pub ticket: BoundedText<128>,
}

/// Why the restriction is lifted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LiftRequest {
    /// The resolution.
    #[schema(value_type = ResolutionName)]
    pub resolution: Resolution,
    /// The reason, kept in the audit log.
    #[schema(schema_with = text_schema::<1024>)]
    pub reason: BoundedText<1024>,
    /// Lift although the leaked key is still active: a second operator must approve.
    #[serde(default)]
    pub accept_active_key: bool,
    /// Lift although the owner has not confirmed the clean-up: a second operator must approve.
    #[serde(default)]
    pub accept_no_confirmation: bool,
    /// Lift what is restricted because it descends from the key as well: a second operator must approve. Otherwise, it
    /// stays restricted.
    #[serde(default)]
    pub with_descendants: bool,
}

/// Which restrictions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RestrictionFilter {
    /// Only those in this state.
    #[serde(default, deserialize_with = "choice")]
    #[param(value_type = Option<RestrictionStateName>, inline, nullable = false)]
    pub state: Option<RestrictionState>,
    /// Only those of this access key.
    #[param(nullable = false)]
    pub access_key_id: Option<String>,
    /// Only those of this account.
    #[param(nullable = false)]
    pub account_id: Option<String>,
    /// Only those where one of these begins with this text: the key, its account or user, the ticket, the source's
    /// reference, the URL where it was found (with or without `https://`).
    #[param(inline, nullable = false)]
    pub q: Option<BoundedText<128>>,
    /// The page size.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize,
    /// The `next_page_token` of the previous page.
    #[param(nullable = false)]
    pub page_token: Option<Uuid>,
}

/// A page of results.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RestrictionPage {
    /// Newest first.
    pub restrictions: Vec<RestrictionView>,
    /// Send this as `page_token` to get the next page; null on the last page.
    pub next_page_token: Option<Uuid>,
}
