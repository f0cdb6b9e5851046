//! Leak reports.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    receipts::Receipt,
    schema_names::ProofName,
    values::{BoundedText, PageSize, choice, optional_text_schema, text_schema},
};
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    leak::{LeakPlace, Proof},
};

/// A leak report.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = LeakReport)]
pub struct ReportView {
    /// UUID version 7.
    pub report_id: Uuid,
    /// Who found it.
    pub source: String,
    /// The source's own id of the finding, or a digest of key and place.
    pub reference: String,
    /// The key or session that was found; null for a secret that belongs to no known key.
    pub access_key_id: Option<String>,
    /// The AccessKey that a found session descends from.
    pub parent_access_key_id: Option<String>,
    /// `Suspected` (restricts nothing), `Secret`, `IdAndSecret` or `Decided`.
    pub proof: String,
    /// The restriction that it led to or was added to.
    pub restriction_id: Option<Uuid>,
    /// The URL where it was found.
    pub url: Option<String>,
    /// The commit where it was found.
    pub commit: Option<String>,
    /// The file where it was found.
    pub path: Option<String>,
    /// When the source first saw it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub first_seen: Option<OffsetDateTime>,
    /// Whether the secret that was found belongs to the key; null if unknown.
    pub secret_matches: Option<bool>,
    /// The delivery that it arrived in; null if it arrived alone.
    pub delivery_id: Option<Uuid>,
    /// Whether it is held because it is a suspicion from a paused source.
    pub held: bool,
    /// When akgate received it.
    #[serde(with = "time::serde::rfc3339")]
    pub reported_at: OffsetDateTime,
    /// Who sent it: `source:NAME` or `operator:NAME`.
    pub reported_by: String,
}

impl ReportView {
    /// Where it was seen.
    #[must_use]
    pub fn place(&self) -> LeakPlace {
        LeakPlace {
            url: self.url.clone(),
            commit: self.commit.clone(),
            path: self.path.clone(),
        }
    }
}

/// A leak report.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLeakReport {
    /// The key, whether or not it is in the directory.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 128)]
    pub access_key_id: AccessKeyId,
    /// The secret that was found with it. It is compared, kept as a keyed digest, and forgotten.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    pub access_key_secret: Option<LeakedSecret>,
    /// Who found it.
    #[schema(schema_with = text_schema::<64>)]
    pub source: BoundedText<64>,
    /// The source's own id of the finding: the same key with the same source and reference is reported once.
    #[schema(schema_with = text_schema::<256>)]
    pub reference: BoundedText<256>,
    /// Where it was found.
    #[serde(default)]
    #[schema(schema_with = optional_text_schema::<2048>)]
    pub url: Option<BoundedText<2048>>,
    /// When the source first saw it.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub first_seen: Option<OffsetDateTime>,
}

/// A secret on its way to its digest.
pub struct LeakedSecret(pub AccessKeySecret);

impl<'de> Deserialize<'de> for LeakedSecret {
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
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LeakReportReceipt {
    /// The report.
    pub report_id: Uuid,
    /// The restriction that it led to, or was added to.
    pub restriction_id: Uuid,
    /// The revision from which on every node enforces it.
    pub revision: i64,
    /// The nodes that enforce it.
    pub receipt: Receipt,
}

/// Which reports to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LeakReportFilter {
    /// Only those proven to this degree; suspicions are `Suspected`.
    #[serde(default, deserialize_with = "choice")]
    #[param(value_type = Option<ProofName>, inline, nullable = false)]
    pub proof: Option<Proof>,
    /// Only those from this source.
    #[param(nullable = false)]
    pub source: Option<String>,
    /// Only those of this key, or of a session that descends from it.
    #[param(nullable = false)]
    pub access_key_id: Option<String>,
    /// Only those of this delivery.
    #[param(nullable = false)]
    pub delivery_id: Option<Uuid>,
    /// Only those of this restriction.
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

/// A page of results.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LeakReportPage {
    /// Newest first.
    pub reports: Vec<ReportView>,
    /// Send this as `page_token` to get the next page; null on the last page.
    pub next_page_token: Option<Uuid>,
}
