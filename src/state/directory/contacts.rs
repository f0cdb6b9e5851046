//! Contacts: who gets letters when a key of an account leaks.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sqlx::{PgPool, PgTransaction};
use time::{
    OffsetDateTime, UtcOffset,
    macros::{format_description, offset},
};
use uuid::Uuid;

use super::{StateFault, principals};
use akgate_rules::evidence::sanitize_text;

/// The language of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[serde(rename = "en")]
    English,
    /// Simplified Chinese.
    #[serde(rename = "zh-CN")]
    Chinese,
}

impl Language {
    /// Every language that letters are written in.
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// The BCP 47 tag.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    /// An instant as its reader writes it, to the minute; the zone is always said.
    #[must_use]
    pub fn minute(self, at: OffsetDateTime) -> String {
        let text = match self {
            Self::English => at.to_offset(UtcOffset::UTC).format(format_description!(
                "[day padding:none] [month repr:long] [year], [hour]:[minute] UTC"
            )),
            Self::Chinese => at.to_offset(offset!(+8)).format(format_description!(
                "[year]年[month padding:none]月[day padding:none]日 [hour]:[minute]（北京时间）"
            )),
        };
        text.unwrap_or_else(|_| at.to_string())
    }

    /// A source's name as its reader knows it; what is not known is cleaned.
    #[must_use]
    pub fn source(self, source: &str) -> String {
        match (source, self) {
            ("github", _) => "GitHub".to_owned(),
            ("gitlab", _) => "GitLab".to_owned(),
            ("operator", Self::English) => "our security team".to_owned(),
            ("operator", Self::Chinese) => "平台安全团队".to_owned(),
            // A name with dots could be taken for an address.
            (other, _) => sanitize_text(other).replace('.', "[.]"),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.tag())
    }
}

/// The text names no supported language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unsupported language: letters are available in en and zh-CN")]
pub struct UnknownLanguage;

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|language| language.tag() == text)
            .ok_or(UnknownLanguage)
    }
}

/// Who is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Where.
    pub email: String,
    /// In which language.
    pub language: Language,
    /// Those of the lowest rank are notified first.
    pub rank: i32,
}

/// Adds a contact in a transaction of its own, or changes the language of one that is there; returns its id.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn commit_contact(
    pool: &PgPool,
    account_id: &str,
    email: &str,
    language: Language,
    now: OffsetDateTime,
) -> Result<Uuid, StateFault> {
    let mut tx = pool.begin().await?;
    principals::ensure_account(&mut tx, account_id, now).await?;
    let id = upsert_contact(&mut tx, account_id, email, language, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// Adds a contact of a known account, or changes the language of one that is there; returns its id.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn upsert_contact(
    tx: &mut PgTransaction<'_>,
    account_id: &str,
    email: &str,
    language: Language,
    now: OffsetDateTime,
) -> Result<Uuid, StateFault> {
    let id = sqlx::query_scalar!(
        "INSERT INTO contacts (contact_id, account_id, email, language, created_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (account_id, email) DO UPDATE
         SET language = excluded.language
         RETURNING contact_id",
        Uuid::now_v7(),
        account_id,
        email,
        language.tag(),
        now
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(id)
}

/// Adds contacts of known accounts, each with its account's id, or changes languages and ranks of those that are there.
/// This also makes an address that bounced usable again.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn upsert_contacts(
    tx: &mut PgTransaction<'_>,
    contacts: &[(&str, &Contact)],
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    // The last word counts; a statement may touch a row once.
    let last: BTreeMap<(&str, &str), &Contact> = contacts
        .iter()
        .map(|(account_id, contact)| ((*account_id, contact.email.as_str()), *contact))
        .collect();
    if last.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = last.keys().map(|_| Uuid::now_v7()).collect();
    let (accounts, emails): (Vec<&str>, Vec<&str>) = last.keys().copied().unzip();
    let languages: Vec<&str> = last.values().map(|one| one.language.tag()).collect();
    let ranks: Vec<i32> = last.values().map(|one| one.rank).collect();
    sqlx::query!(
        "INSERT INTO contacts (contact_id, account_id, email, language, rank, created_at)
         SELECT *, $6::timestamptz
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::integer[])
         ON CONFLICT (account_id, email) DO UPDATE
         SET language = excluded.language,
             rank = excluded.rank,
             unreachable_since = NULL
         WHERE contacts.language <> excluded.language
            OR contacts.rank <> excluded.rank
            OR contacts.unreachable_since IS NOT NULL",
        &ids,
        &accounts as &[&str],
        &emails as &[&str],
        &languages as &[&str],
        &ranks,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The language of a contact; `None` where there is no such contact.
///
/// # Errors
/// [`StateFault`].
pub async fn find_contact_language(
    pool: &PgPool,
    contact_id: Uuid,
) -> Result<Option<Language>, StateFault> {
    let tag = sqlx::query_scalar!(
        "SELECT language
         FROM contacts
         WHERE contact_id = $1",
        contact_id
    )
    .fetch_optional(pool)
    .await?;
    tag.map(|tag| tag.parse().map_err(|_| StateFault::Corrupt("language")))
        .transpose()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn instant_is_written_in_the_readers_language() {
        let at = datetime!(2026-11-05 17:04:59 UTC);
        assert_eq!(Language::English.minute(at), "5 November 2026, 17:04 UTC");
        assert_eq!(
            Language::Chinese.minute(at),
            "2026年11月6日 01:04（北京时间）"
        );
    }
}
