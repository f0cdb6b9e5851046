//! Letters to try templates with: every branch that a letter can take.

use time::{Duration, OffsetDateTime, macros::datetime};

use super::facts::{Clue, Confirmer, Facts, minute};
use crate::{directory::contacts::Language, outbox::LetterKind};

const IMPOSED: OffsetDateTime = datetime!(2026-11-26 12:00 UTC);

/// Each kind in each language, with much and with little known.
pub(super) fn every() -> impl Iterator<Item = (LetterKind, Language, Facts)> {
    Language::ALL.into_iter().flat_map(|language| {
        LetterKind::ALL.into_iter().flat_map(move |kind| {
            let little = Facts {
                confirmed_by: Some(Confirmer::Operator { ticket: None }),
                ..little(language)
            };
            [
                (kind, language, much(language)),
                (kind, language, reader(language)),
                (kind, language, little),
            ]
        })
    })
}

/// A RAM user's key that was seen in two places; another contact has confirmed.
pub(super) fn much(language: Language) -> Facts {
    let at = |hours| minute(IMPOSED + Duration::hours(hours), language);
    Facts {
        access_key: "LTAI5tFa****ly01".into(),
        account_id: "5123456789012345".into(),
        user_name: Some("alice".into()),
        key_status: Some("Active".into()),
        reactivated: false,
        clues: vec![
            Clue {
                source: "GitHub".into(),
                url: Some("hxxps://github[.]com/example/app/blob/main/.env#L3".into()),
                first_seen: Some(at(-28)),
            },
            Clue {
                source: "internal-scan".into(),
                url: None,
                first_seen: None,
            },
        ],
        more_clues: 2,
        exposed_since: at(-28),
        imposed_at: at(0),
        remediated_at: Some(at(5)),
        confirmed_by: Some(Confirmer::Contact {
            address: "b***@example.com".into(),
        }),
        lifted_at: Some(at(7)),
        tombstone: false,
        strict: false,
        confirm_url: Some("https://akgate.example.com/confirm/FakeToken".into()),
        confirm_until: Some(at(7 * 24)),
        support: "security@example.com".into(),
    }
}

/// The same, confirmed by the reader, with the pair disabled.
pub(super) fn reader(language: Language) -> Facts {
    Facts {
        key_status: Some("Inactive".into()),
        confirmed_by: Some(Confirmer::Reader),
        tombstone: true,
        ..much(language)
    }
}

/// A root key of an account under the strict profile, which came back and of which little is known; confirmed
/// on the telephone before the letter went out.
pub(super) fn little(language: Language) -> Facts {
    Facts {
        user_name: None,
        key_status: None,
        reactivated: true,
        clues: Vec::new(),
        more_clues: 0,
        confirmed_by: Some(Confirmer::Operator {
            ticket: Some("T-1234".into()),
        }),
        tombstone: false,
        strict: true,
        confirm_url: None,
        confirm_until: None,
        ..much(language)
    }
}
