//! A letter as a message (RFC 5322): the same Message-ID on every attempt, one thread per restriction.

use lettre::{
    Message,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{Header, HeaderName, HeaderValue},
    },
};
use time::OffsetDateTime;

use super::letter::RenderedLetter;
use akgate_state::outbox::LeasedLetter;

/// Why the message of a letter cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum MessageFault {
    /// The address is not valid.
    #[error("the address is not valid: {0}")]
    Address(#[from] lettre::address::AddressError),
    /// A header cannot be written.
    #[error("cannot build the message: {0}")]
    Message(#[from] lettre::error::Error),
}

/// `Auto-Submitted: auto-generated` (RFC 3834), so that no out-of-office note answers.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

/// Writes the message of a letter. Answers go to `support`, where that is an address.
///
/// # Errors
/// [`MessageFault`].
pub fn build_message(
    letter: &RenderedLetter,
    leased: &LeasedLetter,
    from: &Mailbox,
    support: &str,
    now: OffsetDateTime,
) -> Result<Message, MessageFault> {
    let domain = from.email.domain();
    let about = leased.about.restriction().unwrap_or(leased.letter_id);
    let thread = format!("<{about}@{domain}>");
    let mut builder = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, leased.email.parse()?))
        .subject(&letter.subject)
        .date(now.into())
        .message_id(Some(format!("<{}@{domain}>", leased.letter_id)))
        .in_reply_to(thread.clone())
        .references(thread)
        .header(AutoSubmitted);
    if let Ok(address) = support.parse() {
        builder = builder.reply_to(Mailbox::new(None, address));
    }
    // The letter's own, so that every attempt is the same to the byte but for its date.
    let boundary = format!("akgate-{}", leased.letter_id.simple());
    let parts = MultiPart::alternative()
        .boundary(boundary)
        .singlepart(SinglePart::plain(letter.text.clone()))
        .singlepart(SinglePart::html(letter.html.clone()));
    Ok(builder.multipart(parts)?)
}
