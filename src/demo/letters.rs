//! Reads the letters of the demo from their folder.

use std::{io, path::Path, time::Duration};

use mail_parser::MessageParser;
use tokio::time::{Instant, sleep};

/// A letter that was written.
#[derive(Debug, Clone)]
pub struct WrittenLetter {
    /// Subject and text, for the terminal.
    pub text: String,
    /// The confirmation link in it.
    pub link: Option<String>,
}

/// Waits for a letter with a confirmation link to a person.
///
/// # Errors
/// The folder cannot be read.
pub async fn await_letter(
    folder: &Path,
    to: &str,
    patience: Duration,
) -> io::Result<Option<WrittenLetter>> {
    let until = Instant::now() + patience;
    loop {
        if let Some(letter) = find_letter(folder, to).await? {
            return Ok(Some(letter));
        }
        if Instant::now() > until {
            return Ok(None);
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn find_letter(folder: &Path, to: &str) -> io::Result<Option<WrittenLetter>> {
    let mut files = tokio::fs::read_dir(folder).await?;
    while let Some(file) = files.next_entry().await? {
        if file.path().extension().is_none_or(|ending| ending != "eml") {
            continue;
        }
        let bytes = tokio::fs::read(file.path()).await?;
        if let Some(letter) = parse_letter(&bytes, to).filter(|letter| letter.link.is_some()) {
            return Ok(Some(letter));
        }
    }
    Ok(None)
}

fn parse_letter(bytes: &[u8], to: &str) -> Option<WrittenLetter> {
    let message = MessageParser::default().parse(bytes)?;
    let addressee = message.to()?.first()?.address()?;
    if addressee != to {
        return None;
    }
    let body = message.body_text(0)?;
    let link = body
        .split_whitespace()
        .find(|word| word.starts_with("http") && word.contains("/confirm/"))
        .map(str::to_owned);
    let subject = message.subject().unwrap_or_default();
    Some(WrittenLetter {
        text: format!("{subject}\n\n{}", body.trim_end()),
        link,
    })
}
