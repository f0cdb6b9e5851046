//! Rendering letters: one text and one HTML template per kind and language.
//!
//! Templates come with the build; a folder may override them by the same names (`en/imposed.txt`). They are
//! read and tried once, at the start: a name that a template misspells is an error then, not an empty place
//! in a letter.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

use minijinja::{
    AutoEscape, Environment, Output, State, UndefinedBehavior, Value, escape_formatter,
    syntax::SyntaxConfig, value::Serde,
};

use super::{facts::Facts, sample};
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
    #[error("{0}")]
    Template(#[from] minijinja::Error),
    /// It cannot be read.
    #[error("{}: {fault}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        fault: io::Error,
    },
    /// It overrides nothing.
    #[error("{}: no letter uses this template; its name is one of {}", .0.display(), names())]
    Unused(PathBuf),
    /// It renders no subject line.
    #[error("{0}: the first line is the subject, the second is empty")]
    NoSubject(String),
}

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("templates/", $name)))),*]
    };
}

const BUILT_IN: [(&str, &str); 14] = built_in![
    "layout.html",
    "parts.html",
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

fn names() -> String {
    BUILT_IN.map(|(name, _)| name).join(", ")
}

impl Templates {
    /// Reads the templates, those of a folder in place of those of the build, and tries each.
    ///
    /// # Errors
    /// [`TemplateFault`].
    pub fn load(folder: Option<&Path>) -> Result<Self, TemplateFault> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .build()?,
        );
        environment.set_formatter(format);
        if let Some(folder) = folder {
            nothing_unused(folder, folder)?;
        }
        for (name, built_in) in BUILT_IN {
            let source = match folder {
                Some(folder) => read(&folder.join(name))?.unwrap_or_else(|| built_in.to_owned()),
                None => built_in.to_owned(),
            };
            environment.add_template_owned(name, source)?;
        }
        let templates = Self(environment);
        for (kind, language, facts) in sample::every() {
            templates.render(kind, language, &facts)?;
        }
        Ok(templates)
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
            .filter(|(subject, _)| !subject.is_empty() && !subject.contains(char::is_control))
            .ok_or_else(|| TemplateFault::NoSubject(format!("{}/{stem}.txt", language.tag())))?;
        Ok(Letter {
            subject: subject.to_owned(),
            text: text.to_owned(),
            html: part("html")?,
        })
    }
}

/// Escapes what HTML requires and no more: with its slashes escaped too, an address reads to a spam filter as
/// one that hides.
fn format(out: &mut Output, state: &mut State, value: &Value) -> Result<(), minijinja::Error> {
    let Some(text) = value.as_str().filter(|_| !value.is_safe()) else {
        return escape_formatter(out, state, value);
    };
    if *state.auto_escape() != AutoEscape::Html {
        return escape_formatter(out, state, value);
    }
    for c in text.chars() {
        match c {
            '&' => out.write_str("&amp;")?,
            '<' => out.write_str("&lt;")?,
            '>' => out.write_str("&gt;")?,
            '"' => out.write_str("&quot;")?,
            '\'' => out.write_str("&#x27;")?,
            c => out.write_char(c)?,
        }
    }
    Ok(())
}

/// A misspelt name would leave the built-in letter in place, unnoticed.
fn nothing_unused(root: &Path, folder: &Path) -> Result<(), TemplateFault> {
    let fault = |fault| TemplateFault::File {
        path: folder.to_owned(),
        fault,
    };
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let known = |(name, _): (&str, &str)| root.join(name) == path;
        if path.is_dir() {
            nothing_unused(root, &path)?;
        } else if !BUILT_IN.into_iter().any(known) {
            return Err(TemplateFault::Unused(path));
        }
    }
    Ok(())
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
mod tests;
