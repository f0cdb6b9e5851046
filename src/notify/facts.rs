//! What a letter tells: gathered from the registry when it is sent, in the reader's language.

use serde::Serialize;
use sqlx::PgPool;
use time::{
    OffsetDateTime, UtcOffset,
    macros::{format_description, offset},
};
use uuid::Uuid;

use crate::{
    access_key::AccessKeyId,
    directory::{StateFault, contacts::Language},
    evidence::{clean, masked_email, place},
    outbox::{Leased, links::Link},
    registry::read::{self, ReportView, RestrictionView},
    restriction::Cause,
    verdict::Profile,
};

/// At most so many places are told: a key that was copied a thousand times makes no letter of a thousand.
const CLUES: usize = 20;

/// What a letter tells. A key is masked; a secret is not even known here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The key, masked.
    pub access_key: String,
    /// Its account.
    pub account_id: String,
    /// Its RAM user; `None` for the account itself.
    pub user_name: Option<String>,
    /// Whether the pair works: `Active`, `Inactive`, `Deleted`; `None` where nobody knows.
    pub key_status: Option<String>,
    /// Whether a lifted pair came back.
    pub reactivated: bool,
    /// Where the key was found.
    pub clues: Vec<Clue>,
    /// How many more places there are.
    pub more_clues: usize,
    /// Since when somebody may have had the key.
    pub exposed_since: String,
    /// Since when it is restricted.
    pub imposed_at: String,
    /// When the clean-up was confirmed.
    pub remediated_at: Option<String>,
    /// Who confirmed it.
    pub confirmed_by: Option<Confirmer>,
    /// When the restriction was lifted.
    pub lifted_at: Option<String>,
    /// Whether the pair is restricted again should it come back.
    pub tombstone: bool,
    /// Whether all of RAM and IMS is refused.
    pub strict: bool,
    /// The confirmation link, while there is something to confirm.
    pub confirm_url: Option<String>,
    /// Until when the link works.
    pub confirm_until: Option<String>,
    /// Whom to ask.
    pub support: String,
}

/// Where a key was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clue {
    /// Who found it.
    pub source: String,
    /// Where: shown, never a link.
    pub url: Option<String>,
    /// When the source first saw it.
    pub first_seen: Option<String>,
}

/// Who confirmed a clean-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "who", rename_all = "lowercase")]
pub enum Confirmer {
    /// The reader of the letter.
    Reader,
    /// Another contact of the account.
    Contact {
        /// Their address, masked.
        address: String,
    },
    /// An operator, for an owner who said so in another way.
    Operator {
        /// The number of the ticket.
        ticket: Option<String>,
    },
}

/// Gathers what a letter tells; `None` where its restriction is not there.
///
/// # Errors
/// [`StateFault`].
pub async fn gather(
    pool: &PgPool,
    letter: &Leased,
    support: &str,
    default: Profile,
) -> Result<Option<Facts>, StateFault> {
    let Some(restriction) = read::one(pool, letter.restriction_id).await? else {
        return Ok(None);
    };
    let account = sqlx::query!(
        "SELECT a.account_id, a.profile
         FROM contacts c
         JOIN accounts a USING (account_id)
         WHERE c.contact_id = $1",
        letter.contact_id
    )
    .fetch_one(pool)
    .await?;
    let profile = match account.profile {
        Some(name) => name.parse().map_err(|_| StateFault::Corrupt("profile"))?,
        None => default,
    };
    let mut facts = Facts::of(&restriction, letter.language, profile)?;
    facts.account_id = clean(&account.account_id);
    facts.confirmed_by = confirmer(pool, &restriction, letter.contact_id).await?;
    facts.support = support.to_owned();
    Ok(Some(facts))
}

async fn confirmer(
    pool: &PgPool,
    restriction: &RestrictionView,
    reader: Uuid,
) -> Result<Option<Confirmer>, StateFault> {
    let Some(actor) = restriction.confirmed_by.as_deref() else {
        return Ok(None);
    };
    let contact = actor
        .strip_prefix("contact:")
        .and_then(|id| Uuid::parse_str(id).ok());
    let Some(contact) = contact else {
        return Ok(Some(Confirmer::Operator {
            ticket: restriction.ticket.as_deref().map(clean),
        }));
    };
    if contact == reader {
        return Ok(Some(Confirmer::Reader));
    }
    let email = sqlx::query_scalar!(
        "SELECT email
         FROM contacts
         WHERE contact_id = $1",
        contact
    )
    .fetch_optional(pool)
    .await?;
    Ok(Some(Confirmer::Contact {
        address: masked_email(&email.unwrap_or_default()),
    }))
}

impl Facts {
    /// What the restriction itself tells.
    fn of(
        restriction: &RestrictionView,
        language: Language,
        profile: Profile,
    ) -> Result<Self, StateFault> {
        let key = AccessKeyId::parse(&restriction.access_key_id)
            .map_err(|_| StateFault::Corrupt("access_key_id"))?;
        let at = |at| minute(at, language);
        let reports = &restriction.reports;
        let seen = reports.iter().filter_map(|report| report.first_seen);
        let clues = reports.iter().take(CLUES);
        Ok(Self {
            access_key: key.masked(),
            account_id: String::new(),
            user_name: restriction.user_name.as_deref().map(clean),
            key_status: restriction.key_status.clone(),
            reactivated: restriction.cause == Cause::Reactivated.as_str(),
            clues: clues.map(|report| clue(report, &key, language)).collect(),
            more_clues: reports.len().saturating_sub(CLUES),
            exposed_since: at(seen.fold(restriction.imposed_at, OffsetDateTime::min)),
            imposed_at: at(restriction.imposed_at),
            remediated_at: restriction.remediated_at.map(at),
            confirmed_by: None,
            lifted_at: restriction.lifted_at.map(at),
            tombstone: restriction.tombstone,
            strict: profile == Profile::Strict,
            confirm_url: None,
            confirm_until: None,
            support: String::new(),
        })
    }

    /// Whether a confirmation would still change something.
    #[must_use]
    pub fn awaits_confirmation(&self) -> bool {
        self.remediated_at.is_none() && self.lifted_at.is_none()
    }

    /// Puts the confirmation link in.
    pub fn ask_to_confirm(&mut self, public_url: &str, link: &Link, language: Language) {
        let base = public_url.trim_end_matches('/');
        self.confirm_url = Some(format!("{base}/confirm/{}", link.token));
        self.confirm_until = Some(minute(link.expires_at, language));
    }
}

fn clue(report: &ReportView, key: &AccessKeyId, language: Language) -> Clue {
    let source = match (report.source.as_str(), language) {
        ("github", _) => "GitHub".to_owned(),
        ("gitlab", _) => "GitLab".to_owned(),
        ("operator", Language::English) => "our security team".to_owned(),
        ("operator", Language::Chinese) => "平台安全团队".to_owned(),
        (other, _) => clean(other),
    };
    Clue {
        source,
        url: report.url.as_deref().map(|url| place(url, key)),
        first_seen: report.first_seen.map(|at| minute(at, language)),
    }
}

/// An instant as its reader writes it; the zone is always said.
pub(super) fn minute(at: OffsetDateTime, language: Language) -> String {
    let text = match language {
        Language::English => at.to_offset(UtcOffset::UTC).format(format_description!(
            "[day padding:none] [month repr:long] [year], [hour]:[minute] UTC"
        )),
        Language::Chinese => at.to_offset(offset!(+8)).format(format_description!(
            "[year]年[month padding:none]月[day padding:none]日 [hour]:[minute]（北京时间）"
        )),
    };
    text.unwrap_or_else(|_| at.to_string())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn instants_are_written_as_the_reader_writes_them() {
        let at = datetime!(2026-11-05 17:04:59 UTC);
        assert_eq!(minute(at, Language::English), "5 November 2026, 17:04 UTC");
        assert_eq!(
            minute(at, Language::Chinese),
            "2026年11月6日 01:04（北京时间）"
        );
    }
}
