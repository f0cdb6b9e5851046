//! Sample facts for checking templates, covering every branch.

use time::{Duration, OffsetDateTime, macros::datetime};

use super::facts::{
    ArtefactSummary, Confirmer, DescendantSummary, KeyActivity, LeakClue, LetterFacts,
    RepeatedSightings, RotationCommands, UpcomingStep,
};
use akgate_state::{
    calls::artefacts::CallTotals, directory::contacts::Language, outbox::LetterKind,
};

const IMPOSED_AT: OffsetDateTime = datetime!(2026-11-26 12:00 UTC);

/// Each kind of letter in each language, with many and with few facts.
pub(super) fn list_samples() -> impl Iterator<Item = (LetterKind, Language, LetterFacts)> {
    Language::ALL.into_iter().flat_map(|language| {
        LetterKind::ALL.into_iter().flat_map(move |kind| {
            let little = LetterFacts {
                confirmed_by: Some(Confirmer::Operator { ticket: None }),
                ..sample_minimal_facts(language)
            };
            [
                (kind, language, LetterFacts::sample(language)),
                (kind, language, sample_confirmed_facts(language)),
                (kind, language, little),
            ]
        })
    })
}

/// The usual facts of a kind of letter.
pub(super) fn sample_for_kind(kind: LetterKind, language: Language) -> LetterFacts {
    let much = LetterFacts::sample(language);
    match kind {
        LetterKind::Announced
        | LetterKind::Imposed
        | LetterKind::Repeated
        | LetterKind::Suspected
        | LetterKind::Withdrawn
        | LetterKind::Descendants => LetterFacts {
            widened_at: None,
            disabling_proposed: false,
            confirmed_at: None,
            ..much
        },
        LetterKind::Reminder | LetterKind::Widened => LetterFacts {
            confirmed_at: None,
            ..much
        },
        LetterKind::Confirmed => much,
        LetterKind::Lifted => sample_confirmed_facts(language),
    }
}

impl LetterFacts {
    /// Those of a letter about a key that does not exist, for previews and tests: a RAM user's, seen in two places; another
    /// contact has confirmed.
    #[must_use]
    pub fn sample(language: Language) -> Self {
        let at = |hours| language.minute(IMPOSED_AT + Duration::hours(hours));
        Self {
            access_key: "LTAI5tFa****ly01".into(),
            account_id: "5123456789012345".into(),
            user_name: Some("alice".into()),
            key_status: Some("Active".into()),
            reactivated: false,
            descends: false,
            clues: vec![
                LeakClue {
                    source: "GitHub".into(),
                    url: Some("hxxps://github[.]com/example/app/blob/main/.env#L3".into()),
                    first_seen: Some(at(-28)),
                },
                LeakClue {
                    source: "internal-scan".into(),
                    url: None,
                    first_seen: None,
                },
            ],
            more_clues: 2,
            repeats: vec![
                RepeatedSightings {
                    source: "GitHub".into(),
                    count: 9_999,
                    last: at(3),
                    url: Some("hxxps://github[.]com/example/fork/blob/main/.env#L3".into()),
                },
                RepeatedSightings {
                    source: "internal-scan".into(),
                    count: 1,
                    last: at(2),
                    url: None,
                },
            ],
            exposed_since: at(-28),
            look_back: false,
            descendants: vec![
                DescendantSummary {
                    name: "LTAI5tGb****xz02".into(),
                    user: Some("ops-backup".into()),
                    at: at(-2),
                    is_restricted: true,
                },
                DescendantSummary {
                    name: "STS.NUyT****fed3".into(),
                    user: None,
                    at: at(-1),
                    is_restricted: false,
                },
            ],
            more_descendants: 1,
            imposed_at: at(0),
            enforce_from: Some(at(48)),
            widened_at: Some(at(24)),
            disabling_proposed: true,
            ahead: vec![
                UpcomingStep {
                    step: "widen",
                    at: at(24),
                },
                UpcomingStep {
                    step: "next_contacts",
                    at: at(72),
                },
                UpcomingStep {
                    step: "disabling",
                    at: at(168),
                },
            ],
            activity: KeyActivity {
                calls: CallTotals {
                    forwarded: 1_204,
                    refused: 17,
                },
                identity: 1,
                credential: 1,
                permission: 1,
                other: 0,
                disclosed: 1,
                unknown: 1,
                sessions: 2,
                artefacts: vec![
                    ArtefactSummary {
                        action: "AttachPolicyToUser".into(),
                        names: "AdministratorAccess ops-backup".into(),
                        at: at(-2),
                        source_ip: "198.51.100.23".into(),
                        times: 3,
                        done_by: Some("LTAI5tGb****xz02".into()),
                        before_known: true,
                    },
                    ArtefactSummary {
                        action: "CreateUser".into(),
                        names: "ops-backup".into(),
                        at: at(-2),
                        source_ip: "198.51.100.23".into(),
                        times: 1,
                        done_by: None,
                        before_known: true,
                    },
                ],
                more_artefacts: 1,
            },
            commands: RotationCommands::of("LTAI5tFa****ly01", Some("alice")),
            confirmed_at: Some(at(5)),
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
}

/// The same, confirmed by the reader, with the key disabled.
pub(super) fn sample_confirmed_facts(language: Language) -> LetterFacts {
    LetterFacts {
        key_status: Some("Inactive".into()),
        ahead: Vec::new(),
        confirmed_by: Some(Confirmer::Reader),
        lifted_at: Some(language.minute(IMPOSED_AT + Duration::hours(7))),
        lifted_by_policy: true,
        tombstone: true,
        look_back: true,
        ..LetterFacts::sample(language)
    }
}

/// A root key of an account under the strict profile, which came back and of which little is known; confirmed
/// on the telephone before the letter went out.
pub(super) fn sample_minimal_facts(language: Language) -> LetterFacts {
    LetterFacts {
        user_name: None,
        commands: RotationCommands::of("LTAI5tFa****ly01", None),
        key_status: None,
        reactivated: true,
        clues: Vec::new(),
        more_clues: 0,
        enforce_from: None,
        widened_at: None,
        disabling_proposed: false,
        ahead: Vec::new(),
        activity: KeyActivity::default(),
        look_back: true,
        descendants: Vec::new(),
        more_descendants: 0,
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
        ..LetterFacts::sample(language)
    }
}
