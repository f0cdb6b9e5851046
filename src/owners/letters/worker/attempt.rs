//! One attempt to send one letter.

use std::sync::Arc;

use super::Worker;
use crate::letters::{
    facts::{self, Facts},
    mailer::MailFault,
    message::{self, MessageFault},
};
use akgate_rules::evidence::{clean, masked_email};
use akgate_state::{
    directory::{StateFault, within},
    outbox::{
        Leased, LetterKind,
        links::{self, Purpose},
    },
};

/// Why a letter was not sent.
pub(super) enum Unsent {
    /// It may be sent later.
    Again(String),
    /// Nothing can be sent just now.
    Away(String),
    /// It will never be sent.
    Never {
        /// Why.
        error: String,
        /// Whether the address takes no letters.
        unreachable: bool,
    },
}

impl Unsent {
    /// Not by a fault of the address.
    pub fn never(error: impl Into<String>) -> Self {
        Self::Never {
            error: error.into(),
            unreachable: false,
        }
    }
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
    if facts.leave_nothing_to(letter.kind) {
        return Err(Unsent::never("there is nothing left to report"));
    }
    let now = worker.clock.now();
    let rendered = worker
        .templates
        .render(letter.kind, letter.language, &facts)
        .map_err(|fault| Unsent::never(fault.to_string()))?;
    let message = message::write(&rendered, &letter, &worker.from, &worker.house.support, now)
        .map_err(|fault| Unsent::Never {
            unreachable: matches!(fault, MessageFault::Address(_)),
            error: fault.to_string(),
        })?;
    let message = match &worker.dkim {
        None => message,
        Some(dkim) => dkim
            .sign(&message, now)
            .ok_or_else(|| Unsent::Again("it cannot be signed".into()))?,
    };
    let name = letter.letter_id.to_string();
    let sent = worker.mailer.send(&name, message).await;
    let told = |said: String| discreet(&said, &letter.email, token.as_deref());
    sent.map_err(|fault| match fault {
        MailFault::Again(said) => Unsent::Again(told(said)),
        MailFault::Away(said) => Unsent::Away(told(said)),
        MailFault::Never(said) => Unsent::Never {
            error: told(said),
            unreachable: true,
        },
    })
}

async fn gather(
    worker: &Worker,
    letter: &Leased,
    token: &mut Option<String>,
) -> Result<Facts, Unsent> {
    let now = worker.clock.now();
    let house = &worker.house;
    let gathering = facts::gather(&worker.pool, letter, house, now);
    let mut facts = within(worker.timeout, gathering)
        .await?
        .ok_or_else(|| Unsent::never("its restriction no longer exists"))?;
    // A letter that was held up may come after the confirmation: it then asks for nothing.
    let purpose = match letter.kind {
        kind if kind.asks_to_confirm() && facts.awaits_confirmation() => Purpose::Confirm,
        LetterKind::Confirmed if facts.remediated_at.is_some() => Purpose::Withdraw,
        _ => return Ok(facts),
    };
    let link = links::link(&worker.pool, &worker.ring, letter, purpose, now);
    let link = within(worker.timeout, link).await?;
    match purpose {
        Purpose::Confirm => facts.ask_to_confirm(&house.public_url, &link, letter.language),
        Purpose::Withdraw => facts.offer_withdrawal(&house.public_url, &link, letter.language),
    }
    *token = Some(link.token);
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
    fn refusal_is_stored_without_address_and_link() {
        let said = "550 <alice@example.com>: https://h/confirm/FakeToken is listed\r\n";
        assert_eq!(
            discreet(said, "alice@example.com", Some("FakeToken")),
            "550 <a***@example.com>: https[:]//h/confirm/… is listed\u{fffd}\u{fffd}"
        );
    }
}
