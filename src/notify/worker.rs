//! The worker: takes letters that are due, sends them, and settles each.
//!
//! A letter that the mail server may take later is tried again after 30 seconds, then twice as long each
//! time, up to an hour; after ten attempts it is buried, where an operator sees it
//! (`GET /admin/v1/letters?state=Buried`). One that can never be sent is buried at once. No letter stands in
//! the way of another.

use std::{sync::Arc, time::Duration};

use lettre::message::Mailbox;
use rand::RngExt;
use sqlx::{PgPool, postgres::PgListener};
use time::OffsetDateTime;
use tokio::sync::watch;

use super::{
    facts,
    letter::Templates,
    mailer::{MailFault, Mailer},
    message,
};
use crate::{
    clock::Clock,
    directory::{StateFault, sealing::KeyRing, within},
    metrics::Metrics,
    outbox::{self, CHANNEL, Leased, LetterKind, Settlement, links},
    randomness::Randomness,
    verdict::Profile,
};

/// For how long a worker has a letter. Longer than sending one may take.
const LEASE: time::Duration = time::Duration::minutes(2);

/// How long sending one letter may take.
const SENDING: Duration = Duration::from_secs(60);

/// Letters taken at a time.
const BATCH: i64 = 16;

/// How often the outbox is looked at without a hint.
const POLL: Duration = Duration::from_secs(1);

/// Attempts before a letter is buried.
const ATTEMPTS: i32 = 10;

/// What the worker stands on.
pub struct Worker {
    /// The database.
    pub pool: PgPool,
    /// Signs the links.
    pub ring: Arc<KeyRing>,
    /// The templates.
    pub templates: Templates,
    /// Takes the messages.
    pub mailer: Arc<dyn Mailer>,
    /// Who writes.
    pub from: Mailbox,
    /// Where owners confirm, without a slash at its end.
    pub public_url: String,
    /// Whom owners ask.
    pub support: String,
    /// What a restricted key is refused, where its account has no profile of its own.
    pub profile: Profile,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// For the jitter of retries.
    pub randomness: Arc<Randomness>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How long one call of the database may take.
    pub timeout: Duration,
}

/// Why a letter was not sent.
enum Unsent {
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

impl Worker {
    /// Sends letters until told to stop.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut listener = None;
        let mut failing = false;
        while !*stop.borrow() {
            match self.run_once().await {
                // There may be more.
                Ok(sent) if sent > 0 => continue,
                Ok(_) => failing = false,
                Err(fault) if failing => tracing::debug!(%fault, "the outbox cannot be read"),
                Err(fault) => {
                    failing = true;
                    tracing::error!(%fault, "the outbox cannot be read: letters wait");
                }
            }
            if listener.is_none() && !failing {
                listener = self.listen().await;
            }
            let hint = async {
                match &mut listener {
                    Some(listener) => listener.try_recv().await.is_ok_and(|hint| hint.is_some()),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                alive = hint => if !alive { listener = None; },
                () = tokio::time::sleep(POLL) => {}
                _ = stop.changed() => break,
            }
        }
    }

    /// Takes the letters that are due and settles each; gives how many there were.
    ///
    /// # Errors
    /// [`StateFault`] where the outbox cannot be read.
    pub async fn run_once(&self) -> Result<usize, StateFault> {
        let now = self.clock.now();
        let leasing = outbox::lease(&self.pool, now, LEASE, BATCH);
        let letters = within(self.timeout, leasing).await?;
        for letter in &letters {
            self.see_to(letter).await;
        }
        Ok(letters.len())
    }

    async fn listen(&self) -> Option<PgListener> {
        let connected = within(self.timeout, async {
            let mut listener = PgListener::connect_with(&self.pool).await?;
            listener.listen(CHANNEL).await?;
            Ok::<_, sqlx::Error>(listener)
        });
        connected.await.ok()
    }

    async fn see_to(&self, letter: &Leased) {
        let now = self.clock.now();
        let sent = tokio::time::timeout(SENDING, self.send(letter, now)).await;
        let sent = sent.unwrap_or_else(|_| Err(Unsent::Again("it takes too long".into())));
        let settlement = match sent {
            Ok(()) => Settlement::Sent,
            Err(Unsent::Never(error)) => Settlement::Buried { error },
            Err(Unsent::Again(error)) if letter.attempt >= ATTEMPTS => Settlement::Buried { error },
            Err(Unsent::Again(error)) => Settlement::Again {
                at: now + self.pause(letter.attempt),
                error,
            },
        };
        say(letter, &settlement);
        self.metrics.letter(&settlement);
        let now = self.clock.now();
        let settling = outbox::settle(&self.pool, letter, &settlement, now);
        match within(self.timeout, settling).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(letter_id = %letter.letter_id, "another worker has this letter");
            }
            Err(fault) => {
                tracing::error!(letter_id = %letter.letter_id, %fault, "a letter cannot be settled: it will be sent again");
            }
        }
    }

    async fn send(&self, leased: &Leased, now: OffsetDateTime) -> Result<(), Unsent> {
        let gathering = facts::gather(
            &self.pool,
            leased.restriction_id,
            &self.support,
            self.profile,
        );
        let mut facts = within(self.timeout, gathering)
            .await?
            .ok_or_else(|| Unsent::Never("its restriction is gone".into()))?;
        if leased.kind == LetterKind::Imposed {
            let (restriction_id, contact_id) = (leased.restriction_id, leased.contact_id);
            let token = links::token(&self.pool, &self.ring, restriction_id, contact_id, now);
            let token = within(self.timeout, token).await?;
            facts.confirm_url = Some(format!("{}/confirm/{token}", self.public_url));
        }
        let never = |fault: String| Unsent::Never(fault);
        let letter = self
            .templates
            .render(leased.kind, leased.language, &facts)
            .map_err(|fault| never(fault.to_string()))?;
        let message = message::write(&letter, leased, &self.from, now)
            .map_err(|fault| never(fault.to_string()))?;
        let name = leased.letter_id.to_string();
        self.mailer
            .send(&name, message)
            .await
            .map_err(|fault| match fault {
                MailFault::Again(error) => Unsent::Again(error),
                MailFault::Never(error) => Unsent::Never(error),
            })
    }

    /// 30 seconds, twice as long each time, an hour at most; a tenth more or less, so that letters which
    /// failed together do not come back together.
    fn pause(&self, attempt: i32) -> time::Duration {
        let doubled = 30_i64 << attempt.saturating_sub(1).clamp(0, 7);
        let seconds = doubled.min(3600);
        let jitter = self
            .randomness
            .rng()
            .random_range(-seconds / 10..=seconds / 10);
        time::Duration::seconds(seconds + jitter)
    }
}

/// One line per attempt: neither the address nor the link is in it.
fn say(letter: &Leased, settlement: &Settlement) {
    let (letter_id, kind, attempt) = (letter.letter_id, letter.kind, letter.attempt);
    match settlement {
        Settlement::Sent => {
            tracing::info!(%letter_id, %kind, attempt, "a letter is sent");
        }
        Settlement::Again { at, error } => {
            tracing::warn!(%letter_id, %kind, attempt, %at, error, "a letter is tried again");
        }
        Settlement::Buried { error } => {
            tracing::error!(%letter_id, %kind, attempt, error, "a letter is given up: see GET /admin/v1/letters");
        }
    }
}
