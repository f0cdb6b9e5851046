//! Rendering letters: one text and one HTML template per kind and language.
//!
//! Templates come with the build; a folder may override them by the same names (`en/imposed.txt`). A name that
//! a template misspells is an error, not an empty place.

use std::{fs, io, path::Path};

use minijinja::{AutoEscape, Environment, UndefinedBehavior, syntax::SyntaxConfig, value::Serde};

use super::facts::Facts;
use crate::{directory::contacts::Language, outbox::LetterKind};

/// A letter that is ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The subject: the first line of the text template.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

/// The templates, read once.
#[derive(Debug)]
pub struct Templates(Environment<'static>);

/// A template that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateFault {
    /// It is wrong, or a fact that it asks for is missing.
    #[error("{0:#}")]
    Template(#[from] minijinja::Error),
    /// It cannot be read.
    #[error("{path}: {fault}")]
    File {
        /// Which one.
        path: std::path::PathBuf,
        /// What the system says.
        fault: io::Error,
    },
    /// It renders no subject line.
    #[error("{0}: the first line is the subject, the second is empty")]
    NoSubject(String),
}

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("templates/", $name)))),*]
    };
}

const BUILT_IN: [(&str, &str); 13] = built_in![
    "layout.html",
    "en/imposed.txt",
    "en/imposed.html",
    "en/confirmed.txt",
    "en/confirmed.html",
    "en/lifted.txt",
    "en/lifted.html",
    "zh-CN/imposed.txt",
    "zh-CN/imposed.html",
    "zh-CN/confirmed.txt",
    "zh-CN/confirmed.html",
    "zh-CN/lifted.txt",
    "zh-CN/lifted.html",
];

impl Templates {
    /// Reads the templates, those of a folder in place of those of the build.
    ///
    /// # Errors
    /// [`TemplateFault`].
    pub fn load(folder: Option<&Path>) -> Result<Self, TemplateFault> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .build()?,
        );
        templates.set_auto_escape_callback(|name| {
            if name.ends_with(".html") {
                AutoEscape::Html
            } else {
                AutoEscape::None
            }
        });
        for (name, built_in) in BUILT_IN {
            let source = match folder {
                Some(folder) => read(&folder.join(name))?.unwrap_or_else(|| built_in.to_owned()),
                None => built_in.to_owned(),
            };
            templates.add_template_owned(name, source)?;
        }
        Ok(Self(templates))
    }

    /// Renders a letter.
    ///
    /// # Errors
    /// [`TemplateFault`].
    pub fn render(
        &self,
        kind: LetterKind,
        language: Language,
        facts: &Facts,
    ) -> Result<Letter, TemplateFault> {
        let stem = match kind {
            LetterKind::Imposed => "imposed",
            LetterKind::Confirmed => "confirmed",
            LetterKind::Lifted => "lifted",
        };
        let part = |ending: &str| {
            let name = format!("{}/{stem}.{ending}", language.tag());
            self.0.get_template(&name)?.render(Serde(facts))
        };
        let text = part("txt")?;
        let (subject, text) = text
            .split_once("\n\n")
            .filter(|(subject, _)| !subject.is_empty() && !subject.contains('\n'))
            .ok_or_else(|| TemplateFault::NoSubject(format!("{}/{stem}.txt", language.tag())))?;
        Ok(Letter {
            subject: subject.to_owned(),
            text: text.to_owned(),
            html: part("html")?,
        })
    }
}

fn read(path: &Path) -> Result<Option<String>, TemplateFault> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(TemplateFault::File {
            path: path.to_owned(),
            fault,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::facts::Clue;

    fn facts() -> Facts {
        Facts {
            access_key: "LTAI5tFa****ly01".into(),
            account_id: "5123456789012345".into(),
            user_name: Some("alice <admin>".into()),
            key_status: Some("Active".into()),
            reactivated: false,
            clues: vec![Clue {
                source: "github".into(),
                url: Some("https://github.com/example/app/blob/main/.env".into()),
                first_seen: Some("2026-11-25 08:00 UTC".into()),
            }],
            imposed_at: "2026-11-26 12:00 UTC".into(),
            remediated_at: Some("2026-11-26 13:00 UTC".into()),
            lifted_at: Some("2026-11-26 14:00 UTC".into()),
            strict: false,
            confirm_url: Some("https://akgate.example.com/confirm/FakeToken".into()),
            support: "security@example.com".into(),
        }
    }

    #[test]
    fn letters_read_as_they_should() {
        let templates = Templates::load(None).unwrap();
        for language in Language::ALL {
            for kind in LetterKind::ALL {
                let letter = templates.render(kind, language, &facts()).unwrap();
                let shown = format!(
                    "{}\n\n{}\n=====\n{}",
                    letter.subject, letter.text, letter.html
                );
                insta::assert_snapshot!(format!("letter-{language}-{kind}"), shown);
                assert!(letter.html.contains("alice &lt;admin&gt;"));
            }
        }
    }

    #[test]
    fn letter_of_an_unknown_place_is_whole() {
        let templates = Templates::load(None).unwrap();
        let bare = Facts {
            user_name: None,
            key_status: None,
            reactivated: true,
            clues: Vec::new(),
            strict: true,
            ..facts()
        };
        for language in Language::ALL {
            let letter = templates
                .render(LetterKind::Imposed, language, &bare)
                .unwrap();
            assert!(letter.text.contains("/confirm/FakeToken"));
        }
    }

    #[test]
    fn where_a_key_was_found_is_never_a_link() {
        let templates = Templates::load(None).unwrap();
        let letter = templates
            .render(LetterKind::Imposed, Language::English, &facts())
            .unwrap();
        let links: Vec<_> = letter.html.match_indices("href=").collect();
        assert_eq!(links.len(), 2, "the button and the same link as text");
        assert!(!letter.html.contains("href=\"https://github.com"));
    }
}
