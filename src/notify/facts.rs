//! What a letter tells: gathered from the registry when it is sent, cleaned of whatever could mislead a reader.

use serde::Serialize;
use sqlx::PgPool;
use time::{OffsetDateTime, UtcOffset, macros::format_description};
use uuid::Uuid;

use crate::{
    access_key::AccessKeyId,
    directory::StateFault,
    registry::read::{self, RestrictionView},
    verdict::Profile,
};

/// The longest clue that is shown, in characters.
const LONGEST: usize = 300;

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
    /// Since when it is restricted.
    pub imposed_at: String,
    /// When the clean-up was confirmed.
    pub remediated_at: Option<String>,
    /// When the restriction was lifted.
    pub lifted_at: Option<String>,
    /// Whether all of RAM and IMS is refused.
    pub strict: bool,
    /// The confirmation link, in a letter that asks for it.
    pub confirm_url: Option<String>,
    /// Whom to ask.
    pub support: String,
}

/// Where a key was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clue {
    /// Who found it.
    pub source: String,
    /// Where: shown, never a link, since it may be an attacker's page.
    pub url: Option<String>,
    /// When the source first saw it.
    pub first_seen: Option<String>,
}

/// Gathers what a letter about a restriction tells; `None` where there is no such restriction.
///
/// # Errors
/// [`StateFault`].
pub async fn gather(
    pool: &PgPool,
    restriction_id: Uuid,
    support: &str,
    default: Profile,
) -> Result<Option<Facts>, StateFault> {
    let Some(restriction) = read::one(pool, restriction_id).await? else {
        return Ok(None);
    };
    let profile = match &restriction.account_id {
        Some(account_id) => own_profile(pool, account_id).await?.unwrap_or(default),
        None => default,
    };
    Facts::of(&restriction, profile, support).map(Some)
}

async fn own_profile(pool: &PgPool, account_id: &str) -> Result<Option<Profile>, StateFault> {
    let profile = sqlx::query_scalar!(
        "SELECT profile
         FROM accounts
         WHERE account_id = $1",
        account_id
    )
    .fetch_optional(pool)
    .await?
    .flatten();
    profile
        .map(|text| text.parse().map_err(|_| StateFault::Corrupt("profile")))
        .transpose()
}

impl Facts {
    fn of(
        restriction: &RestrictionView,
        profile: Profile,
        support: &str,
    ) -> Result<Self, StateFault> {
        let access_key_id = AccessKeyId::parse(&restriction.access_key_id)
            .map_err(|_| StateFault::Corrupt("access_key_id"))?;
        let clues = restriction.reports.iter().map(|report| Clue {
            source: clean(&report.source),
            url: report.url.as_deref().map(clean),
            first_seen: report.first_seen.map(minute),
        });
        Ok(Self {
            access_key: access_key_id.masked(),
            account_id: clean(restriction.account_id.as_deref().unwrap_or_default()),
            user_name: restriction.user_name.as_deref().map(clean),
            key_status: restriction.key_status.clone(),
            reactivated: restriction.cause == "Reactivated",
            clues: clues.collect(),
            imposed_at: minute(restriction.imposed_at),
            remediated_at: restriction.remediated_at.map(minute),
            lifted_at: restriction.lifted_at.map(minute),
            strict: profile == Profile::Strict,
            confirm_url: None,
            support: support.to_owned(),
        })
    }
}

/// An instant as a reader anywhere understands it.
fn minute(at: OffsetDateTime) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    at.to_offset(UtcOffset::UTC)
        .format(form)
        .unwrap_or_default()
}

/// A clue that cannot break a line, reorder what is read (Unicode's bidirectional controls), hide a part of
/// itself, or fill the page.
fn clean(text: &str) -> String {
    let misleads = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{061c}')
    };
    let mut shown: String = text
        .chars()
        .map(|c| if misleads(c) { '\u{fffd}' } else { c })
        .take(LONGEST)
        .collect();
    if text.chars().count() > LONGEST {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clue_cannot_mislead_its_reader() {
        assert_eq!(clean("a\r\nBcc: b"), "a\u{fffd}\u{fffd}Bcc: b");
        assert_eq!(clean("exe.\u{202e}gpj"), "exe.\u{fffd}gpj");
        assert_eq!(clean(&"x".repeat(400)).chars().count(), LONGEST + 1);
        assert_eq!(clean("张三 ok"), "张三 ok");
    }
}
