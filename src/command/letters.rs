//! `akgate letters`: previews letters; the other commands use the admin API.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::{Subcommand, ValueEnum};
use lettre::message::Mailbox;
use uuid::Uuid;

use super::{CommandExit, api, named_values::parse_any_case};
use akgate_owners::letters::{
    dkim::Dkim,
    letter::{LetterTemplates, RenderedLetter},
    message::{self, MessageFault},
};
use akgate_state::{
    clock::{Clock, SystemClock},
    directory::contacts::Language,
    outbox::{LeasedLetter, LetterKind, LetterSubject},
};

/// Preview and list letters, send one again, or cancel one
#[derive(Debug, Clone, Subcommand)]
pub enum LettersCommand {
    /// Preview a letter about an imaginary key, rendered from the templates
    Preview {
        /// Announced, Imposed, Repeated, Reminder, Widened, Confirmed, Withdrawn, Lifted, Suspected or Descendants
        #[arg(ignore_case = true, value_parser = parse_any_case::<LetterKind>)]
        kind: LetterKind,
        /// en or zh-CN
        #[arg(long, default_value = "en")]
        language: Language,
        /// The part to print
        #[arg(long, value_enum, default_value = "text")]
        part: LetterPart,
        /// A folder of templates that replace the built-in ones (`mail.templates`)
        #[arg(long)]
        templates: Option<PathBuf>,
        /// Sign the message with this key, as if from the domain example.com (`mail.dkim_key_file`)
        #[arg(long, requires = "dkim_selector")]
        dkim_key: Option<PathBuf>,
        /// The selector of the public key (`mail.dkim_selector`)
        #[arg(long, requires = "dkim_key")]
        dkim_selector: Option<String>,
    },
    /// Commands that use the admin API
    #[command(flatten)]
    OverApi(api::WithConnection<api::letters::LettersApiCommand>),
}

/// A part of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LetterPart {
    /// The plain text, for readers without HTML
    Text,
    /// The HTML: open it in a browser
    Html,
    /// The whole message, as the mail server receives it
    Message,
}

/// Prints a letter.
///
/// # Errors
/// An output cannot be written to.
pub fn run_letters(
    command: &LettersCommand,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    let (kind, language, part, templates, dkim_key, dkim_selector) = match command {
        LettersCommand::Preview {
            kind,
            language,
            part,
            templates,
            dkim_key,
            dkim_selector,
        } => (kind, language, part, templates, dkim_key, dkim_selector),
        LettersCommand::OverApi(command) => {
            return command.run(out, err);
        }
    };
    let dkim = match dkim_selector.as_deref().zip(dkim_key.as_deref()) {
        None => None,
        Some((selector, key)) => match Dkim::load("example.com", selector, key) {
            Ok(dkim) => Some(dkim),
            Err(fault) => {
                writeln!(err, "error: {fault}")?;
                return Ok(CommandExit::Failed);
            }
        },
    };
    let letter = LetterTemplates::load(templates.as_deref())
        .and_then(|templates| templates.preview(*kind, *language));
    match (letter, part) {
        (Ok(letter), LetterPart::Text) => {
            writeln!(
                out,
                "Subject: {}\n\n{}",
                letter.subject,
                letter.text.trim_end()
            )?;
        }
        (Ok(letter), LetterPart::Html) => write!(out, "{}", letter.html)?,
        (Ok(letter), LetterPart::Message) => {
            match preview_message(&letter, *kind, *language, dkim.as_ref()) {
                Ok(message) => out.write_all(&message)?,
                Err(fault) => {
                    writeln!(err, "error: {fault}")?;
                    return Ok(CommandExit::Failed);
                }
            }
        }
        (Err(fault), _) => {
            writeln!(err, "error: {fault}")?;
            return Ok(CommandExit::Failed);
        }
    }
    Ok(CommandExit::Ok)
}

/// A message with placeholder addresses.
fn preview_message(
    letter: &RenderedLetter,
    kind: LetterKind,
    language: Language,
    dkim: Option<&Dkim>,
) -> Result<Vec<u8>, MessageFault> {
    let now = SystemClock.now();
    let leased = LeasedLetter {
        letter_id: Uuid::now_v7(),
        about: LetterSubject::Restriction(Uuid::now_v7()),
        contact_id: Uuid::nil(),
        email: "owner@example.com".into(),
        language,
        kind,
        access_key: String::new(),
        attempt: 1,
        created_at: now,
    };
    let from = Mailbox::new(None, "security@example.com".parse()?);
    let message = message::build_message(letter, &leased, &from, "security@example.com", now)?;
    let signed = dkim.and_then(|dkim| dkim.sign(&message, now));
    Ok(signed.unwrap_or(message).formatted())
}
