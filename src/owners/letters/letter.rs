//! Rendering letters: one template per kind and language, of which both parts are made (`markup`).
//!
//! Templates come with the build; a folder may override them by the same names (`en/imposed.md`). They are read and
//! rendered once at the start, so that a misspelt name is an error then and not a gap in a letter.

mod html;
mod markup;
mod text;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use minijinja::{
    AutoEscape, Environment, Output, State, UndefinedBehavior, Value, escape_formatter,
    syntax::SyntaxConfig, value::Serde,
};

use self::markup::Block;
use super::{facts::LetterFacts, sample};
use akgate_state::{directory::contacts::Language, outbox::LetterKind};

/// A letter that is ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedLetter {
    /// The subject: the template's title.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

/// The templates, read once.
#[derive(Debug)]
pub struct LetterTemplates(Environment<'static>);

/// A template that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateFault {
    /// The template is not valid, or uses an unknown fact.
    #[error("{0}")]
    Template(#[from] minijinja::Error),
    /// It cannot be read.
    #[error("{}: {fault}", path.display())]
    File {
        /// The template.
        path: PathBuf,
        /// The error of the operating system.
        fault: io::Error,
    },
    /// No built-in template has this name.
    #[error("{}: no letter uses this template; use one of {}", .0.display(), built_in_names())]
    Unused(PathBuf),
    /// It uses markup that letters do not support.
    #[error("{template}: {fault}")]
    Markup {
        /// The template.
        template: String,
        /// What.
        fault: markup::UnsupportedMarkup,
    },
    /// It has no subject.
    #[error("{0}: a letter must begin with its subject: `# …`")]
    NoSubject(String),
}

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("templates/", $name)))),*]
    };
}

const BUILT_IN_TEMPLATES: [(&str, &str); 40] = built_in![
    "en/key_details.md",
    "en/locations.md",
    "en/risk.md",
    "en/operations.md",
    "en/refused.md",
    "en/activity.md",
    "en/lineage.md",
    "en/steps.md",
    "en/escalation.md",
    "en/closing.md",
    "en/announced.md",
    "en/imposed.md",
    "en/repeated.md",
    "en/reminder.md",
    "en/widened.md",
    "en/confirmed.md",
    "en/withdrawn.md",
    "en/lifted.md",
    "en/suspected.md",
    "en/descendants.md",
    "zh-CN/key_details.md",
    "zh-CN/locations.md",
    "zh-CN/risk.md",
    "zh-CN/operations.md",
    "zh-CN/refused.md",
    "zh-CN/activity.md",
    "zh-CN/lineage.md",
    "zh-CN/steps.md",
    "zh-CN/escalation.md",
    "zh-CN/closing.md",
    "zh-CN/announced.md",
    "zh-CN/imposed.md",
    "zh-CN/repeated.md",
    "zh-CN/reminder.md",
    "zh-CN/widened.md",
    "zh-CN/confirmed.md",
    "zh-CN/withdrawn.md",
    "zh-CN/lifted.md",
    "zh-CN/suspected.md",
    "zh-CN/descendants.md",
];

fn built_in_names() -> String {
    BUILT_IN_TEMPLATES.map(|(name, _)| name).join(", ")
}

/// The template of a kind of letter.
fn template_name(kind: LetterKind, language: Language) -> String {
    let stem = kind.as_str().to_ascii_lowercase();
    format!("{}/{stem}.md", language.tag())
}

impl LetterTemplates {
    /// Reads the templates, those in a folder instead of the built-in ones, and test-renders each.
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
                .keep_trailing_newline(true)
                .build()?,
        );
        environment.set_formatter(escape_value);
        // The output of an included template must not be escaped again.
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        if let Some(folder) = folder {
            check_unused_templates(folder, folder)?;
        }
        for (name, built_in) in BUILT_IN_TEMPLATES {
            let source = match folder {
                Some(folder) => {
                    read_template(&folder.join(name))?.unwrap_or_else(|| built_in.to_owned())
                }
                None => built_in.to_owned(),
            };
            environment.add_template_owned(name, source)?;
        }
        let templates = Self(environment);
        for (kind, language, facts) in sample::list_samples() {
            templates.render(kind, language, &facts)?;
        }
        Ok(templates)
    }

    /// A letter about a key that does not exist.
    ///
    /// # Errors
    /// [`TemplateFault`].
    pub fn preview(
        &self,
        kind: LetterKind,
        language: Language,
    ) -> Result<RenderedLetter, TemplateFault> {
        self.render(kind, language, &sample::sample_for_kind(kind, language))
    }

    /// Renders a letter.
    ///
    /// # Errors
    /// [`TemplateFault`].
    pub fn render(
        &self,
        kind: LetterKind,
        language: Language,
        facts: &LetterFacts,
    ) -> Result<RenderedLetter, TemplateFault> {
        let name = template_name(kind, language);
        let rendered = self.0.get_template(&name)?.render(Serde(facts))?;
        let blocks = markup::parse_markup(&rendered).map_err(|fault| TemplateFault::Markup {
            template: name.clone(),
            fault,
        })?;
        let subject = match blocks.first() {
            // An encoded word (RFC 2047) would be read as what it stands for.
            Some(Block::Title(title)) => text::render_line(title).replace("=?", "= ?"),
            _ => String::new(),
        };
        if subject.trim().is_empty() || subject.contains(char::is_control) {
            return Err(TemplateFault::NoSubject(name));
        }
        Ok(RenderedLetter {
            text: text::render_text(blocks.get(1..).unwrap_or_default()),
            html: html::render_html(&blocks, language.tag(), &subject),
            subject,
        })
    }
}

/// Every fact is plain text: markup in it is escaped.
fn escape_value(
    out: &mut Output,
    state: &mut State,
    value: &Value,
) -> Result<(), minijinja::Error> {
    match value.as_str().filter(|_| !value.is_safe()) {
        Some(text) => Ok(out.write_str(&markup::escape_markup(text))?),
        None => escape_formatter(out, state, value),
    }
}

/// A misspelt name would leave the built-in letter in place, unnoticed.
fn check_unused_templates(root: &Path, folder: &Path) -> Result<(), TemplateFault> {
    let fault = |fault| TemplateFault::File {
        path: folder.to_owned(),
        fault,
    };
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let known = |(name, _): (&str, &str)| root.join(name) == path;
        if path.is_dir() {
            check_unused_templates(root, &path)?;
        } else if !BUILT_IN_TEMPLATES.into_iter().any(known) {
            return Err(TemplateFault::Unused(path));
        }
    }
    Ok(())
}

fn read_template(path: &Path) -> Result<Option<String>, TemplateFault> {
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
