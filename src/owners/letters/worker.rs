//! The worker: sends due letters and settles each; and examines restrictions whose next step is due ([`escalate`]).
//!
//! A letter that the mail server rejects for now is retried after 30 seconds, then after twice as long each time, up to
//! an hour; after a week it is marked as failed (`GET /admin/v1/letters?state=Failed`). One that can never be sent
//! fails at once; if the address is the reason, another contact is notified. While the server is down, one batch probes
//! it now and then and the others wait ([`OutagePause`]). The letters of a batch are sent concurrently, each in its own
//! task, so that a panic affects only one.

mod attempt;
mod context;
mod outage_pause;

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

pub use self::{context::LetterWorker, outage_pause::OutagePause};
use akgate_api::receipts::Wait;
use akgate_rules::verdict::Mode;
use akgate_state::{
    directory::{StateFault, with_timeout},
    follow::{NextRound, PollLoop},
    live::barrier::AffectedKeys,
    outbox::{
        self, LETTERS_CHANNEL, LeasedLetter, LetterKind,
        queue::{QueuePolicy, SendFault, Settlement, process_batch, retry_delay},
        settle,
    },
    restrictions::{
        escalate::{self, EscalationRules, WidenedRestriction},
        mode,
    },
};

/// How letters are leased, and how long each is retried. An announced letter may be older than that at its first
/// attempt. The size of a batch is also the number of connections to the mail server.
const QUEUE: QueuePolicy = QueuePolicy {
    lease: time::Duration::minutes(3),
    batch_size: 8,
    retry_window: time::Duration::days(7),
    min_attempts: 20,
};

/// How long an attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(90);

/// How often the outbox is polled without a notification.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How often a letter is checked that must wait because refusals are not enforced yet.
const RECHECK_INTERVAL: time::Duration = time::Duration::HOUR;

/// Restrictions examined per round.
const ESCALATION_BATCH_SIZE: i64 = 100;

impl LetterWorker {
    /// Sends letters until told to stop; the batch at hand is finished first.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let worker = Arc::new(self);
        let rounds = PollLoop {
            pool: &worker.pool,
            channel: Some(LETTERS_CHANNEL),
            poll: POLL_INTERVAL,
            retry: POLL_INTERVAL,
            timeout: worker.timeout,
            failed: "cannot read the outbox; letters are delayed",
            recovered: "reading the outbox again",
        };
        rounds.run(stop, || worker.round()).await;
    }

    /// Sends the due letters and settles each; returns their number.
    ///
    /// # Errors
    /// [`StateFault`] where the outbox cannot be read.
    pub async fn run_once(self: &Arc<Self>) -> Result<usize, StateFault> {
        let now = self.clock.now();
        if self.outage_pause.is_on(now) {
            return Ok(0);
        }
        let leasing = outbox::lease_letters(&self.pool, now, QUEUE.lease, QUEUE.batch_size);
        let letters = with_timeout(self.timeout, leasing).await?;
        let process = |letter| {
            let worker = Arc::clone(self);
            async move { worker.process_letter(&Arc::new(letter)).await }
        };
        Ok(process_batch(letters, process).await)
    }

    /// Examines the restrictions whose next step is due; returns their number, without those that failed.
    ///
    /// # Errors
    /// [`StateFault`] where the registry cannot be read.
    pub async fn escalate(&self) -> Result<usize, StateFault> {
        let now = self.clock.now();
        let due = with_timeout(
            self.timeout,
            escalate::list_due_restrictions(&self.pool, now, ESCALATION_BATCH_SIZE),
        )
        .await?;
        let rules = EscalationRules {
            ladder: self.letter_settings.ladder.clone(),
            lift: self.lift,
        };
        let mut count = 0;
        for restriction_id in &due {
            let looking = escalate::escalate_restriction(&self.pool, *restriction_id, &rules, now);
            let looked = match with_timeout(self.timeout, looking).await {
                Ok(looked) => looked,
                // One that fails does not delay the others.
                Err(fault) => {
                    tracing::error!(%restriction_id, %fault, "cannot check a restriction");
                    continue;
                }
            };
            count += 1;
            if looked.lifted {
                tracing::info!(%restriction_id, "lifted by the policy");
            }
            if let Some(widened) = looked.widened {
                self.keep_receipt(widened);
            }
            for step in looked.steps {
                tracing::info!(%restriction_id, ?step, "the leaked key is still active: taking the next step");
            }
        }
        Ok(count)
    }

    /// The letter about a widening does not wait for the nodes; the receipt records where it is enforced.
    fn keep_receipt(&self, widened: WidenedRestriction) {
        let barrier = Arc::clone(&self.barrier);
        tokio::spawn(async move {
            let concern = AffectedKeys::Keys(vec![widened.access_key_id]);
            if let Err(lost) = barrier
                .wait(widened.position, &concern, Wait::Enforced)
                .await
            {
                tracing::error!(%lost, "a failover lost the widening of a restriction; it will be repeated");
            }
        });
    }

    /// Letters and steps that are due.
    async fn round(self: &Arc<Self>) -> Result<NextRound, StateFault> {
        let done = self.run_once().await? + self.escalate().await?;
        Ok(if done > 0 {
            NextRound::AtOnce
        } else {
            NextRound::Later
        })
    }

    async fn process_letter(self: &Arc<Self>, letter: &Arc<LeasedLetter>) {
        if letter.kind == LetterKind::Imposed && self.is_too_early(letter).await {
            return;
        }
        let sent = self.attempt(letter).await;
        let (attempt, since, now) = (letter.attempt, letter.created_at, self.clock.now());
        let settlement = match sent {
            Ok(()) => {
                self.outage_pause.end();
                Settlement::Sent
            }
            Err(SendFault::ServerAway(error)) => {
                let pause = |batch| retry_delay(batch, None, &mut self.randomness.rng());
                let at = self.outage_pause.begin(now, pause);
                QUEUE.retry_or_fail(attempt, since, at, error)
            }
            Err(fault) => {
                let mut rng = self.randomness.rng();
                QUEUE.settle_fault(fault, attempt, since, now, &mut rng)
            }
        };
        self.metrics.letter(settlement.as_str());
        let settling = settle::settle_letter(&self.pool, letter, &settlement, now);
        match with_timeout(self.timeout, settling).await {
            Ok(true) => log_settlement(letter, &settlement),
            Ok(false) => {
                tracing::warn!(letter_id = %letter.letter_id, "another worker has taken this letter");
            }
            Err(fault) => {
                tracing::error!(letter_id = %letter.letter_id, %fault, "cannot record the result for a letter; it will be sent again");
            }
        }
    }

    /// Whether a letter about a restriction has to wait because refusals are not enforced yet; if a date is configured,
    /// announces the restriction.
    async fn is_too_early(&self, letter: &LeasedLetter) -> bool {
        let now = self.clock.now();
        let later = self.letter_settings.enforce_from.filter(|from| now < *from);
        let switched = with_timeout(self.timeout, mode::find_switched_mode(&self.pool)).await;
        let mode = match switched {
            Ok(switched) => switched.unwrap_or(self.letter_settings.mode),
            Err(fault) => {
                tracing::error!(letter_id = %letter.letter_id, %fault, "cannot read the mode; the letter is delayed");
                return true;
            }
        };
        let waiting = match (mode, later) {
            (Mode::Enforce, None) => return false,
            (Mode::Enforce, Some(from)) => {
                let announcing = outbox::enqueue_announced(&self.pool, letter, from, now);
                with_timeout(self.timeout, announcing).await
            }
            (Mode::Shadow | Mode::Off, _) => {
                let waiting = outbox::postpone_letter(&self.pool, letter, now + RECHECK_INTERVAL);
                with_timeout(self.timeout, waiting).await
            }
        };
        if let Err(fault) = waiting {
            tracing::error!(letter_id = %letter.letter_id, %fault, "cannot postpone a letter; it will be retried");
        }
        true
    }

    /// Runs one attempt in a task of its own, so that its panic or its hanging affects no other.
    async fn attempt(self: &Arc<Self>, letter: &Arc<LeasedLetter>) -> Result<(), SendFault> {
        let mut task = tokio::spawn(attempt::send_letter(Arc::clone(self), Arc::clone(letter)));
        match tokio::time::timeout(ATTEMPT_TIMEOUT, &mut task).await {
            Ok(Ok(sent)) => sent,
            Ok(Err(fault)) if fault.is_panic() => {
                Err(SendFault::permanent("the attempt panicked: see the log"))
            }
            Ok(Err(fault)) => Err(SendFault::temporary(fault.to_string())),
            Err(_) => {
                task.abort();
                Err(SendFault::temporary("the attempt took too long"))
            }
        }
    }
}

/// Logs one line per attempt, without the address and the link.
fn log_settlement(letter: &LeasedLetter, settlement: &Settlement) {
    let LeasedLetter {
        letter_id,
        about,
        access_key,
        kind,
        attempt,
        ..
    } = letter;
    match settlement {
        Settlement::Sent => {
            tracing::info!(%letter_id, ?about, access_key, %kind, attempt, "letter sent");
        }
        Settlement::Retry { at, error } => {
            tracing::warn!(%letter_id, ?about, access_key, %kind, attempt, %at, error, "letter not sent; it will be retried");
        }
        Settlement::Failed { error, .. } => {
            tracing::error!(%letter_id, ?about, access_key, %kind, attempt, error, "letter failed: see GET /admin/v1/letters");
        }
    }
}
