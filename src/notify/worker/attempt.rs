//! One attempt to send one letter.

use std::sync::Arc;

use super::Worker;
use crate::{
    directory::{StateFault, within},
    evidence::{clean, masked_email},
    notify::{
        facts::{self, Facts},
        mailer::MailFault,
        message,
    },
    outbox::{Leased, LetterKind, links},
};

/// Why a letter was not sent.
pub(super) enum Unsent {
    /// It may be sent later.
    Again(String),
    /// It will never be sent.
    Never(String),
}

impl From<StateFault> for Unsent {
    fn from(fault: StateFault) -> Self {
        Self::Again(fault.to_string())
    }
}

/// Gathers the facts, renders the letter and hands it over.
pub(super) async fn send(worker: Arc<Worker>, letter: Arc<Leased>) -> Result<(), Unsent> {
    let mut token = None;
    let facts = gather(&worker, &letter, &mut token).await?;
    let now = worker.clock.now();
    let rendered = worker
        .templates
        .render(letter.kind, letter.language, &facts)
        .map_err(|fault| Unsent::Never(fault.to_string()))?;
    let message = message::write(&rendered, &letter, &worker.from, &worker.support, now)
        .map_err(|fault| Unsent::Never(fault.to_string()))?;
    let name = letter.letter_id.to_string();
    let sent = worker.mailer.send(&name, message).await;
    let told = |said: String| discreet(&said, &letter.email, token.as_deref());
    sent.map_err(|fault| match fault {
        MailFault::Again(said) => Unsent::Again(told(said)),
        MailFault::Never(said) => Unsent::Never(told(said)),
    })
}

async fn gather(
    worker: &Worker,
    letter: &Leased,
    token: &mut Option<String>,
) -> Result<Facts, Unsent> {
    let gathering = facts::gather(&worker.pool, letter, &worker.support, worker.profile);
    let mut facts = within(worker.timeout, gathering)
        .await?
        .ok_or_else(|| Unsent::Never("its restriction is gone".into()))?;
    // A letter that was held up may come after the confirmation: it then asks for nothing.
    if letter.kind == LetterKind::Imposed && facts.awaits_confirmation() {
        let now = worker.clock.now();
        let link = links::link(&worker.pool, &worker.ring, letter, now);
        let link = within(worker.timeout, link).await?;
        facts.ask_to_confirm(&worker.public_url, &link, letter.language);
        *token = Some(link.token);
    }
    Ok(facts)
}

/// A mail server may repeat in its refusal whom and what it refuses.
fn discreet(said: &str, email: &str, token: Option<&str>) -> String {
    let said = said.replace(email, &masked_email(email));
    let said = match token {
        Some(token) => said.replace(token, "…"),
        None => said,
    };
    clean(&said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_is_kept_without_address_and_link() {
        let said = "550 <alice@example.com>: https://h/confirm/FakeToken is listed\r\n";
        assert_eq!(
            discreet(said, "alice@example.com", Some("FakeToken")),
            "550 <a***@example.com>: https://h/confirm/… is listed\u{fffd}\u{fffd}"
        );
    }
}
