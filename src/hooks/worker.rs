//! Sends events that are due, side by side, and settles each.
//!
//! What a hook does not take is tried again after 30 seconds, then twice as long each time, an hour at most, for three days;
//! then it is failed, where an operator sees it (`GET /admin/v1/events?state=Failed`). One hook that is away holds up no
//! other: each has its own batch.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet};

use super::{Hook, SendFault};
use akgate_net::metrics::Metrics;
use akgate_state::{
    audit::EVENTS_CHANNEL,
    clock::Clock,
    database::Pool,
    directory::{StateFault, with_timeout},
    follow::{NextRound, PollLoop},
    outbox::{
        backoff::retry_delay,
        events::{self, EventSettlement, LeasedEvent, RegisteredHook},
    },
    randomness::Randomness,
};

/// For how long a worker has an event: longer than an attempt may take, with its database calls.
const LEASE_DURATION: time::Duration = time::Duration::minutes(1);

/// Events of one hook that are sent at a time.
const BATCH_SIZE: i64 = 8;

/// How often the outbox is looked at without a hint.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long an event is tried.
const RETRY_WINDOW: time::Duration = time::Duration::days(3);

/// How often at least.
const MIN_ATTEMPTS: i32 = 10;

/// What the worker stands on.
pub struct HookWorker {
    /// Whom events are sent to.
    pub hooks: Vec<Arc<Hook>>,
    /// The database.
    pub pool: Pool,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// For the jitter of retries.
    pub randomness: Arc<Randomness>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How long one call of the database may take.
    pub timeout: Duration,
}

impl HookWorker {
    /// Registers the hooks and sends events until told to stop; the batch at hand is finished first. Where there are none, that
    /// is all there is to do.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let worker = Arc::new(self);
        let is_registered = AtomicBool::new(false);
        let rounds = PollLoop {
            pool: &worker.pool,
            channel: Some(EVENTS_CHANNEL),
            poll: POLL_INTERVAL,
            retry: POLL_INTERVAL,
            timeout: worker.timeout,
            failed: "cannot read the outbox of events; events are delayed",
            recovered: "reading the outbox of events again",
        };
        let round = || async {
            if !is_registered.load(Ordering::Relaxed) {
                worker.register().await?;
                is_registered.store(true, Ordering::Relaxed);
            }
            if worker.hooks.is_empty() {
                return Ok(NextRound::Never);
            }
            let taken = worker.round().await?;
            Ok(if taken > 0 {
                NextRound::AtOnce
            } else {
                NextRound::Later
            })
        };
        rounds.run(stop, round).await;
    }

    /// Says whom deeds enqueue for from now on.
    ///
    /// # Errors
    /// [`StateFault`].
    pub async fn register(&self) -> Result<(), StateFault> {
        let hooks: Vec<RegisteredHook> = self
            .hooks
            .iter()
            .map(|hook| RegisteredHook {
                hook: hook.name.clone(),
                kinds: hook.kinds.clone(),
            })
            .collect();
        let registering = events::register_hooks(&self.pool, &hooks, self.clock.now());
        with_timeout(self.timeout, registering).await
    }

    /// Takes the events of each hook that are due and settles them; gives how many there were.
    ///
    /// # Errors
    /// [`StateFault`] where the outbox cannot be read.
    pub async fn round(self: &Arc<Self>) -> Result<usize, StateFault> {
        let mut tasks = JoinSet::new();
        for hook in &self.hooks {
            let now = self.clock.now();
            let name = [hook.name.as_str()];
            let leasing = events::lease_events(&self.pool, &name, now, LEASE_DURATION, BATCH_SIZE);
            for event in with_timeout(self.timeout, leasing).await? {
                let (worker, hook) = (Arc::clone(self), Arc::clone(hook));
                tasks.spawn(async move { worker.see_to(&hook, &event).await });
            }
        }
        let taken = tasks.len();
        while tasks.join_next().await.is_some() {}
        Ok(taken)
    }

    async fn see_to(&self, hook: &Hook, event: &LeasedEvent) {
        let sent = hook.send(event, self.clock.now()).await;
        let now = self.clock.now();
        let outcome = match sent {
            Ok(()) => EventSettlement::Sent,
            Err(SendFault::Never(error)) => EventSettlement::Failed { error },
            Err(SendFault::Again(error, after)) => {
                let at = now + retry_delay(event.attempt, after, &mut self.randomness.rng());
                match at < event.at + RETRY_WINDOW || event.attempt < MIN_ATTEMPTS {
                    true => EventSettlement::Again { at, error },
                    false => EventSettlement::Failed { error },
                }
            }
        };
        self.metrics.event(outcome.as_str());
        let settling = events::settle_event(&self.pool, event, &outcome, now);
        let LeasedEvent { audit_id, hook, .. } = event;
        match (with_timeout(self.timeout, settling).await, outcome) {
            (Err(fault), _) => {
                tracing::error!(audit_id, hook, %fault, "cannot record the result for an event; it will be sent again");
            }
            (Ok(false), _) => tracing::warn!(audit_id, hook, "another worker has taken this event"),
            (Ok(true), EventSettlement::Sent) => tracing::info!(audit_id, hook, "event sent"),
            (Ok(true), EventSettlement::Again { at, error }) => {
                tracing::warn!(audit_id, hook, %at, error, "event not sent; it will be retried");
            }
            (Ok(true), EventSettlement::Failed { error }) => {
                tracing::error!(
                    audit_id,
                    hook,
                    error,
                    "event failed: see GET /admin/v1/events"
                );
            }
        }
    }
}
