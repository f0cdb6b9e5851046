//! Letters to try templates with: every branch that a letter can take.

use time::{Duration, OffsetDateTime, macros::datetime};

use super::facts::{Ahead, Clue, Commands, Confirmer, Deeds, Facts, Object, Repeat};
use akgate_state::{calls::artefacts::Calls, directory::contacts::Language, outbox::LetterKind};

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

/// What a letter of a kind is usually sent for.
pub(super) fn of(kind: LetterKind, language: Language) -> Facts {
    let much = much(language);
    match kind {
        LetterKind::Announced
        | LetterKind::Imposed
        | LetterKind::Repeated
        | LetterKind::Suspected
        | LetterKind::Withdrawn => Facts {
            widened_at: None,
            disabling_proposed: false,
            remediated_at: None,
            ..much
        },
        LetterKind::Reminder | LetterKind::Widened => Facts {
            remediated_at: None,
            ..much
        },
        LetterKind::Confirmed => much,
        LetterKind::Lifted => reader(language),
    }
}

/// A RAM user's key that was seen in two places; another contact has confirmed.
pub(super) fn much(language: Language) -> Facts {
    let at = |hours| language.minute(IMPOSED + Duration::hours(hours));
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
        repeats: vec![
            Repeat {
                source: "GitHub".into(),
                count: 9_999,
                last: at(3),
                url: Some("hxxps://github[.]com/example/fork/blob/main/.env#L3".into()),
            },
            Repeat {
                source: "internal-scan".into(),
                count: 1,
                last: at(2),
                url: None,
            },
        ],
        exposed_since: at(-28),
        imposed_at: at(0),
        enforce_from: Some(at(48)),
        widened_at: Some(at(24)),
        disabling_proposed: true,
        ahead: vec![
            Ahead {
                step: "widen",
                at: at(24),
            },
            Ahead {
                step: "next_contacts",
                at: at(72),
            },
            Ahead {
                step: "disabling",
                at: at(168),
            },
        ],
        deeds: Deeds {
            calls: Calls {
                forwarded: 1_204,
                refused: 17,
            },
            identity: 1,
            credential: 1,
            permission: 1,
            other: 0,
            sessions: 2,
            objects: vec![
                Object {
                    action: "AttachPolicyToUser".into(),
                    names: "AdministratorAccess ops-backup".into(),
                    at: at(-2),
                    source_ip: "198.51.100.23".into(),
                },
                Object {
                    action: "CreateUser".into(),
                    names: "ops-backup".into(),
                    at: at(-2),
                    source_ip: "198.51.100.23".into(),
                },
            ],
            more_objects: 1,
        },
        commands: Commands::of("LTAI5tFa****ly01", Some("alice")),
        remediated_at: Some(at(5)),
        confirmed_by: Some(Confirmer::Contact {
            address: "b***@example.com".into(),
        }),
        lifted_at: None,
        lifted_by_policy: false,
        tombstone: false,
        strict: false,
        confirm_url: Some("https://akgate.example.com/confirm/FakeToken".into()),
        confirm_until: Some(at(7 * 24)),
        withdraw_url: Some("https://akgate.example.com/withdraw/FakeToken".into()),
        withdraw_until: Some(at(7 * 24)),
        support: "security@example.com".into(),
        hotline: Some("95187".into()),
        ticket_url: Some("https://tickets.example.com/new".into()),
    }
}

/// The same, confirmed by the reader, with the pair disabled.
pub(super) fn reader(language: Language) -> Facts {
    Facts {
        key_status: Some("Inactive".into()),
        ahead: Vec::new(),
        confirmed_by: Some(Confirmer::Reader),
        lifted_at: Some(language.minute(IMPOSED + Duration::hours(7))),
        lifted_by_policy: true,
        tombstone: true,
        ..much(language)
    }
}

/// A root key of an account under the strict profile, which came back and of which little is known; confirmed
/// on the telephone before the letter went out.
pub(super) fn little(language: Language) -> Facts {
    Facts {
        user_name: None,
        commands: Commands::of("LTAI5tFa****ly01", None),
        key_status: None,
        reactivated: true,
        clues: Vec::new(),
        more_clues: 0,
        enforce_from: None,
        widened_at: None,
        disabling_proposed: false,
        ahead: Vec::new(),
        deeds: Deeds::default(),
        confirmed_by: Some(Confirmer::Operator {
            ticket: Some("T-1234".into()),
        }),
        tombstone: false,
        strict: true,
        confirm_url: None,
        confirm_until: None,
        withdraw_url: None,
        withdraw_until: None,
        hotline: None,
        ticket_url: None,
        ..much(language)
    }
}
