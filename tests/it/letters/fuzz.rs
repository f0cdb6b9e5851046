//! Letters about things whose names an attacker chose: whatever they are, a letter has our headers, our links and
//! nothing of a secret.

use akgate_owners::letters::{
    facts::{ArtefactSummary, KeyActivity, LeakClue, LetterFacts, RepeatedSightings},
    letter::{LetterTemplates, RenderedLetter},
    message,
};
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    evidence::{defang_url, sanitize_text},
    secret_fragments::SecretFragments,
};
use akgate_state::{
    calls::artefacts::CallTotals,
    directory::contacts::Language,
    outbox::{LeasedLetter, LetterKind, LetterSubject},
};
use mail_parser::MessageParser;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use uuid::Uuid;

use super::stage::{KEY, NOW, SECRET, key_id};

/// Pieces that hostile texts are made of.
const PIECES: [&str; 42] = [
    "\r\n",
    "\n",
    "\r\n\r\n",
    "Bcc: evil@evil.example",
    "Subject: x",
    "--akgate-",
    "=?utf-8?B?eA==?=",
    "<script>",
    "</code>",
    "<a href=\"https://evil.example\">",
    "[x](https://evil.example)",
    "![x](https://evil.example/p)",
    "<https://evil.example>",
    "https://evil.example/x",
    "www.evil.example",
    "javascript:alert(1)",
    "`",
    "```",
    "*",
    "**",
    "> ",
    "# ",
    "| a | b |",
    "---",
    "1. ",
    "\\",
    "&#60;",
    "&lt;",
    "{{ confirm_url }}",
    "{% if x %}",
    "\u{202e}",
    "\u{200b}",
    "\0",
    "张三",
    "https://pаypal.example/",
    "https://ｅｖｉｌ。example:1/",
    "🔑",
    "'; rm -rf ~ #",
    "$(id)",
    SECRET,
    "FakeSecretOfAl",
    KEY,
];

fn hostile(rng: &mut impl Rng) -> String {
    let mut text = String::new();
    for _ in 0..rng.random_range(1..8) {
        if rng.random_ratio(2, 3) {
            text.push_str(PIECES[rng.random_range(0..PIECES.len())]);
        } else {
            text.extend((0..rng.random_range(1..12)).map(|_| rng.random::<char>()));
        }
    }
    text
}

fn without_secret(text: &str) -> String {
    let secret = AccessKeySecret::new(SECRET.to_owned());
    SecretFragments::of([&secret]).redact(text)
}

/// A name as the registry gives it: what a report told has lost its secret when it was recorded.
fn named(rng: &mut impl Rng) -> String {
    sanitize_text(&without_secret(&hostile(rng)))
}

fn placed(rng: &mut impl Rng) -> String {
    let place = defang_url(&without_secret(&hostile(rng)), &key_id());
    assert!(!place.contains(KEY), "{place}");
    place
}

/// A letter full of them, and how many.
fn letter(
    templates: &LetterTemplates,
    rng: &mut impl Rng,
    n: usize,
) -> (LetterKind, RenderedLetter, usize) {
    let language = Language::ALL[n % 2];
    let kind = LetterKind::ALL[n / 2 % LetterKind::ALL.len()];
    let many: usize = 14;
    let facts = LetterFacts {
        account_id: named(rng),
        user_name: Some(named(rng)),
        clues: (0..many)
            .map(|_| LeakClue {
                source: language.source(&named(rng)),
                url: Some(placed(rng)),
                first_seen: None,
            })
            .collect(),
        repeats: (0_i64..14)
            .map(|n| RepeatedSightings {
                source: language.source(&named(rng)),
                count: n,
                last: String::new(),
                url: Some(placed(rng)),
            })
            .collect(),
        activity: KeyActivity {
            calls: CallTotals {
                forwarded: 1,
                refused: 0,
            },
            artefacts: (0..many)
                .map(|_| ArtefactSummary {
                    action: named(rng),
                    names: named(rng),
                    at: String::new(),
                    source_ip: named(rng),
                    times: 2,
                    done_by: Some(named(rng)),
                    before_known: true,
                })
                .collect(),
            ..KeyActivity::default()
        },
        ..LetterFacts::sample(language)
    };
    let letter = templates.render(kind, language, &facts).unwrap();
    (kind, letter, 2 + many * 7)
}

/// The addresses that a part has, live: as a mail program would make links of.
fn live<'t>(text: &'t str, ours: &[&str]) -> Vec<&'t str> {
    let at = |mark: &str| {
        text.match_indices(mark)
            .map(|(at, _)| at)
            .collect::<Vec<_>>()
    };
    [at("http://"), at("https://"), at("www.")]
        .concat()
        .into_iter()
        .map(|at| &text[at..])
        .filter(|rest| !ours.iter().any(|ours| rest.starts_with(ours)))
        .map(|rest| rest.split(['\n', '<', '"']).next().unwrap())
        .collect()
}

fn windows_of_the_secret(text: &str) -> usize {
    let windows = SECRET.as_bytes().windows(8);
    windows
        .filter(|window| text.contains(std::str::from_utf8(window).unwrap()))
        .count()
}

/// A million names and places in 10,000 letters; `AKGATE_FUZZED_LETTERS` is a folder that they are put into, for another
/// parser to read.
#[test]
fn letters_about_a_million_hostile_names_are_well_formed() {
    let templates = LetterTemplates::load(None).unwrap();
    let mut rng = StdRng::seed_from_u64(7);
    let folder = std::env::var_os("AKGATE_FUZZED_LETTERS").map(std::path::PathBuf::from);
    let ours = [
        "https://akgate.example.com/",
        "https://tickets.example.com/new",
    ];
    let (mut names, mut letters) = (0, 0);
    while names < 1_000_000 {
        let (kind, letter, count) = letter(&templates, &mut rng, letters);
        names += count;
        letters += 1;
        for part in [&letter.subject, &letter.text, &letter.html] {
            assert_eq!(windows_of_the_secret(part), 0, "{part}");
            assert_eq!(live(part, &ours), [""; 0]);
        }
        let tags: Vec<&str> = letter.html.split('<').skip(1).collect();
        for tag in ["script", "img", "iframe", "form", "svg", "style"] {
            assert!(!tags.iter().any(|found| found.starts_with(tag)), "{tag}");
        }
        let leased = LeasedLetter {
            letter_id: Uuid::from_u128(letters as u128),
            about: LetterSubject::Restriction(Uuid::from_u128(1)),
            contact_id: Uuid::from_u128(2),
            email: "owner@example.com".into(),
            language: Language::English,
            kind,
            access_key: AccessKeyId::parse(KEY).unwrap().masked(),
            attempt: 1,
            created_at: NOW,
        };
        let from = "Cloud security <security@cloud.example>".parse().unwrap();
        let message =
            message::build_message(&letter, &leased, &from, "help@cloud.example", NOW).unwrap();
        let bytes = message.formatted();
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        let mut headers: Vec<&str> = parsed
            .headers()
            .iter()
            .map(mail_parser::Header::name)
            .collect();
        headers.sort_unstable();
        let wanted = [
            "Auto-Submitted",
            "Content-Type",
            "Date",
            "From",
            "In-Reply-To",
            "MIME-Version",
            "Message-ID",
            "References",
            "Reply-To",
            "Subject",
            "To",
        ];
        assert_eq!(headers, wanted);
        // Folding may cost a space.
        let dense = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(dense(parsed.subject().unwrap()), dense(&letter.subject));
        assert_eq!(parsed.text_body_count() + parsed.html_body_count(), 2);
        assert_eq!(parsed.attachment_count(), 0);
        if let Some(folder) = &folder {
            std::fs::write(folder.join(format!("{letters}.eml")), bytes).unwrap();
        }
    }
}
