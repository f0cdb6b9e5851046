//! Letters to account owners.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::values::{BoundedText, PageSize, choice, text_schema};

/// A letter.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Letter)]
pub struct LetterView {
    /// UUID version 7.
    pub letter_id: Uuid,
    /// The restriction that it is about; null for a suspicion.
    pub restriction_id: Option<Uuid>,
    /// The key that is suspected to have leaked; null for a restriction.
    pub access_key_id: Option<String>,
    /// `Announced`, `Imposed`, `Repeated`, `Reminder`, `Widened`, `Confirmed`, `Withdrawn`, `Lifted`, `Suspected` or
    /// `Descendants`.
    pub kind: String,
    /// The recipient's address.
    pub email: String,
    /// The language of the letter.
    pub language: String,
    /// `Due`, `Sent` or `Failed`.
    pub state: String,
    /// Number of attempts.
    pub attempts: i32,
    /// When the next attempt is due.
    #[serde(with = "time::serde::rfc3339")]
    pub due_at: OffsetDateTime,
    /// The error of the last attempt.
    pub last_error: Option<String>,
    /// When it was enqueued.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was sent or failed for good.
    #[serde(with = "time::serde::rfc3339::option")]
    pub settled_at: Option<OffsetDateTime>,
}

/// Which letters to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LetterFilter {
    /// Only those in this state; failed letters are `Failed`.
    #[serde(default, deserialize_with = "choice")]
    #[param(inline, nullable = false)]
    pub state: Option<LetterState>,
    /// Only those about this restriction.
    #[param(nullable = false)]
    pub restriction_id: Option<Uuid>,
    /// The page size.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize,
    /// The `next_page_token` of the previous page.
    #[param(nullable = false)]
    pub page_token: Option<Uuid>,
}

akgate_rules::text_enum! {
    /// State of a letter.
    #[derive(ToSchema)]
    pub enum LetterState {
        /// It is still to be sent.
        Due = "Due",
        /// The mail server has accepted it.
        Sent = "Sent",
        /// It has failed for good, or was cancelled.
        Failed = "Failed",
    }
}

/// A page of results.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LetterPage {
    /// Newest first.
    pub letters: Vec<LetterView>,
    /// Send this as `page_token` to get the next page; null on the last page.
    pub next_page_token: Option<Uuid>,
}

/// Why the letter is cancelled.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelLetterRequest {
    /// The reason, kept in the audit log.
    #[schema(schema_with = text_schema::<1024>)]
    pub reason: BoundedText<1024>,
}
