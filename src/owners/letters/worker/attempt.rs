//! One attempt to send one letter.

use std::sync::Arc;

use super::context::LetterWorker;
use crate::letters::{
    facts::{self, LetterFacts},
    message::{self, MessageFault},
};
use akgate_rules::evidence::{mask_email, sanitize_text};
use akgate_state::{
    directory::with_timeout,
    outbox::{
        LeasedLetter, LetterKind,
        links::{self, LinkPurpose},
        queue::SendFault,
    },
};

/// Gathers the facts, renders the letter and hands it over.
pub(super) async fn send_letter(
    worker: Arc<LetterWorker>,
    letter: Arc<LeasedLetter>,
) -> Result<(), SendFault> {
    let mut token = None;
    let facts = gather_facts_with_link(&worker, &letter, &mut token).await?;
    if facts.is_obsolete_for(letter.kind) {
        return Err(SendFault::permanent("there is nothing left to report"));
    }
    let now = worker.clock.now();
    let rendered = worker
        .templates
        .render(letter.kind, letter.language, &facts)
        .map_err(|fault| SendFault::permanent(fault.to_string()))?;
    let message = message::build_message(
        &rendered,
        &letter,
        &worker.from,
        &worker.letter_settings.support,
        now,
    )
    .map_err(|fault| SendFault::Permanent {
        unreachable: matches!(fault, MessageFault::Address(_)),
        error: fault.to_string(),
    })?;
    let message = match &worker.dkim {
        None => message,
        Some(dkim) => dkim
            .sign(&message, now)
            .ok_or_else(|| SendFault::temporary("it cannot be signed"))?,
    };
    let name = letter.letter_id.to_string();
    let sent = worker.mailer.send(&name, message).await;
    sent.map_err(|fault| {
        fault.map_error(|said| redact_recipient(said, &letter.email, token.as_deref()))
    })
}

async fn gather_facts_with_link(
    worker: &LetterWorker,
    letter: &LeasedLetter,
    token: &mut Option<String>,
) -> Result<LetterFacts, SendFault> {
    let now = worker.clock.now();
    let letter_settings = &worker.letter_settings;
    let gathering = facts::gather_letter_facts(&worker.pool, letter, letter_settings, now);
    let mut facts = with_timeout(worker.timeout, gathering)
        .await?
        .ok_or_else(|| SendFault::permanent("its restriction no longer exists"))?;
    // A delayed letter may come after the confirmation; it then contains no link.
    let purpose = match letter.kind {
        kind if kind.asks_to_confirm() && facts.awaits_confirmation() => LinkPurpose::Confirm,
        LetterKind::Confirmed if facts.confirmed_at.is_some() => LinkPurpose::Withdraw,
        _ => return Ok(facts),
    };
    let link = links::issue_link(&worker.pool, &worker.ring, letter, purpose, now);
    let link = with_timeout(worker.timeout, link).await?;
    match purpose {
        LinkPurpose::Confirm => {
            facts.set_confirm_link(&letter_settings.public_url, &link, letter.language);
        }
        LinkPurpose::Withdraw => {
            facts.set_withdraw_link(&letter_settings.public_url, &link, letter.language);
        }
    }
    *token = Some(link.token);
    Ok(facts)
}

/// A mail server's refusal may repeat the address and parts of the message.
fn redact_recipient(said: &str, email: &str, token: Option<&str>) -> String {
    let said = said.replace(email, &mask_email(email));
    let said = match token {
        Some(token) => said.replace(token, "…"),
        None => said,
    };
    sanitize_text(&said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_is_stored_without_address_and_link() {
        let said = "550 <alice@example.com>: https://h/confirm/FakeToken is listed\r\n";
        assert_eq!(
            redact_recipient(said, "alice@example.com", Some("FakeToken")),
            "550 <a***@example.com>: https[:]//h/confirm/… is listed\u{fffd}\u{fffd}"
        );
    }
}
