//! `akgate letters`: what owners are written.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::{Subcommand, ValueEnum};

use super::Exit;
use crate::{directory::contacts::Language, notify::letter::Templates, outbox::LetterKind};

/// Look at the letters
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Print a letter about a key that does not exist, as the templates make it
    Preview {
        /// Announced, Imposed, Repeated, Reminder, Widened, Confirmed, Withdrawn or Lifted
        #[arg(ignore_case = true, value_parser = kind)]
        kind: LetterKind,
        /// en or zh-CN
        #[arg(long, default_value = "en")]
        language: Language,
        /// Which part of it
        #[arg(long, value_enum, default_value = "text")]
        part: Part,
        /// A folder of templates that take the place of the built-in ones (`mail.templates`)
        #[arg(long)]
        templates: Option<PathBuf>,
    },
}

/// A part of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// What is read where HTML is not.
    Text,
    /// What most people see: open it in a browser.
    Html,
}

fn kind(text: &str) -> Result<LetterKind, String> {
    LetterKind::ALL
        .into_iter()
        .find(|kind| kind.as_str().eq_ignore_ascii_case(text))
        .ok_or_else(|| {
            format!(
                "one of {}",
                LetterKind::ALL.map(LetterKind::as_str).join(", ")
            )
        })
}

/// Prints a letter.
///
/// # Errors
/// That of the outputs.
pub fn run(command: &Command, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let Command::Preview {
        kind,
        language,
        part,
        templates,
    } = command;
    let letter = Templates::load(templates.as_deref())
        .and_then(|templates| templates.preview(*kind, *language));
    match (letter, part) {
        (Ok(letter), Part::Text) => {
            writeln!(
                out,
                "Subject: {}\n\n{}",
                letter.subject,
                letter.text.trim_end()
            )?;
        }
        (Ok(letter), Part::Html) => write!(out, "{}", letter.html)?,
        (Err(fault), _) => {
            writeln!(err, "error: {fault}")?;
            return Ok(Exit::Failed);
        }
    }
    Ok(Exit::Ok)
}
