use std::collections::BTreeSet;

use super::*;
use crate::letters::{facts::LeakClue, sample};

fn templates() -> LetterTemplates {
    LetterTemplates::load(None).unwrap()
}

#[test]
fn letters_match_their_snapshots() {
    let usual = |kind| move |language| sample::sample_for_kind(kind, language);
    for (kind, name, facts) in [
        (
            LetterKind::Imposed,
            "root",
            sample::sample_minimal_facts as fn(Language) -> LetterFacts,
        ),
        (
            LetterKind::Confirmed,
            "operator",
            sample::sample_minimal_facts,
        ),
        (LetterKind::Lifted, "active", LetterFacts::sample),
        (LetterKind::Reminder, "late", LetterFacts::sample),
    ] {
        both(kind, name, &facts);
    }
    for kind in LetterKind::ALL {
        both(kind, "usual", &usual(kind));
    }
}

fn both(kind: LetterKind, name: &str, facts: &dyn Fn(Language) -> LetterFacts) {
    let templates = templates();
    for language in Language::ALL {
        let letter = templates.render(kind, language, &facts(language)).unwrap();
        let shown = format!("{}\n\n{}", letter.subject, letter.text);
        insta::assert_snapshot!(format!("{language}-{kind}-{name}.txt"), shown);
        insta::assert_snapshot!(format!("{language}-{kind}-{name}.html"), letter.html);
    }
}

#[test]
fn evidence_is_plain_text_and_only_the_confirmation_is_a_link() {
    let hostile = "</code><a href=\"https://evil.example\">x</a><script>& [y](https://evil.example) *z* `c` ![i](https://evil.example/i) | https://evil.example <https://evil.example>";
    for language in Language::ALL {
        let facts = LetterFacts {
            user_name: Some(hostile.into()),
            clues: vec![LeakClue {
                source: hostile.into(),
                url: Some(hostile.into()),
                first_seen: None,
            }],
            ..LetterFacts::sample(language)
        };
        let letter = templates()
            .render(LetterKind::Imposed, language, &facts)
            .unwrap();
        let links: BTreeSet<&str> = letter
            .html
            .split("<a href=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        assert_eq!(
            links.into_iter().collect::<Vec<_>>(),
            ["https://akgate.example.com/confirm/FakeToken"]
        );
        assert!(!letter.html.contains("<script") && !letter.html.contains("<img"));
        let shown = letter
            .html
            .matches("&lt;script&gt;&amp; [y](https://evil.example) *z* `c`");
        assert_eq!(shown.count(), 3);
        assert_eq!(letter.text.matches("[y](https://evil.example)").count(), 3);
    }
}

#[test]
fn letter_contains_no_template_markup() {
    let templates = templates();
    for (kind, language, facts) in sample::list_samples() {
        let letter = templates.render(kind, language, &facts).unwrap();
        // A masked key has four, a masked address three.
        let html = letter.html.replace("****", "").replace("***", "");
        for mark in ["**", "](<", "{{", "{%"] {
            assert!(!html.contains(mark), "{language} {kind}: {mark}");
        }
    }
}

#[test]
fn letter_has_no_form_and_loads_nothing() {
    let templates = templates();
    for (kind, language, facts) in sample::list_samples() {
        let html = templates.render(kind, language, &facts).unwrap().html;
        for tag in ["<form", "<input", "<img", "<link", "<script", "url("] {
            assert!(!html.contains(tag), "{language} {kind}: {tag}");
        }
    }
}

fn folder(name: &str, file: &str, text: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("akgate-letter-{name}-{}", std::process::id()));
    let path = folder.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    folder
}

#[test]
fn template_folder_overrides_one_letter_and_leaves_the_rest() {
    let folder = folder("good", "en/lifted.md", "# Ours {{ access_key }}\n\nText\n");
    let templates = LetterTemplates::load(Some(&folder)).unwrap();
    fs::remove_dir_all(folder).unwrap();
    let render = |language| {
        templates
            .render(LetterKind::Lifted, language, &LetterFacts::sample(language))
            .unwrap()
    };
    let letter = render(Language::English);
    assert_eq!(letter.subject, "Ours LTAI5tFa****ly01");
    assert_eq!(letter.text, "Text\n");
    assert!(render(Language::Chinese).text.contains("您好"));
}

#[test]
fn faulty_template_override_is_found_at_startup() {
    for (name, file, text, said) in [
        (
            "misspelt",
            "en/lifted.md",
            "# S\n\n{{ acess_key }}",
            "undefined value",
        ),
        (
            "subject",
            "en/lifted.md",
            "S\nno empty line\n\nText",
            "a letter must begin with its subject",
        ),
        (
            "unused",
            "en/lifetd.md",
            "S\n\nText",
            "no letter uses this template",
        ),
        (
            "picture",
            "en/lifted.md",
            "# S\n\n![a](https://h.example/pixel)",
            "letters do not support Image",
        ),
        (
            "branch",
            "en/confirmed.md",
            "# S\n\n{% if confirmed_by.who == 'operator' %}{{ tiket }}{% endif %}",
            "undefined value",
        ),
    ] {
        let folder = folder(name, file, text);
        let fault = LetterTemplates::load(Some(&folder))
            .unwrap_err()
            .to_string();
        fs::remove_dir_all(folder).unwrap();
        assert!(fault.contains(said), "{name}: {fault}");
        assert!(fault.contains(file), "{name}: {fault}");
    }
}
