//! Sends due events concurrently, and settles each.
//!
//! An event that a hook does not accept is retried after 30 seconds, then after twice as long each time, up to an hour,
//! for three days; then it is marked as failed (`GET /admin/v1/events?state=Failed`). Each hook has its own batch, so
//! one that is down does not delay the others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use super::Hook;
use akgate_net::metrics::Metrics;
use akgate_state::{
    audit::EVENTS_CHANNEL,
    clock::Clock,
    database::Pool,
    directory::{StateFault, with_timeout},
    follow::{NextRound, PollLoop},
    outbox::{
        events::{self, LeasedEvent, RegisteredHook},
        queue::{QueuePolicy, Settlement, process_batch},
    },
    randomness::Randomness,
};

/// How the events of one hook are leased, and how long each is retried.
const QUEUE: QueuePolicy = QueuePolicy {
    lease: time::Duration::minutes(1),
    batch_size: 8,
    retry_window: time::Duration::days(3),
    min_attempts: 10,
};

/// How often the outbox is polled without a notification.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// What the worker depends on.
pub struct HookWorker {
    /// A receiver of events.
    pub hooks: Vec<Arc<Hook>>,
    /// The database.
    pub pool: Pool,
    /// The source of the current time.
    pub clock: Arc<dyn Clock>,
    /// For the jitter of retries.
    pub randomness: Arc<Randomness>,
    /// The metrics of this process.
    pub metrics: Arc<Metrics>,
    /// How long one call of the database may take.
    pub timeout: Duration,
}

impl HookWorker {
    /// Registers the hooks and sends events until told to stop; the batch at hand is finished first. Returns at once if
    /// there are none.
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

    /// Registers the hooks for which audit records enqueue events from now on.
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

    /// Sends the due events of each hook and settles them; returns their number.
    ///
    /// # Errors
    /// [`StateFault`] where the outbox cannot be read.
    pub async fn round(self: &Arc<Self>) -> Result<usize, StateFault> {
        let mut due = Vec::new();
        for hook in &self.hooks {
            let (name, now) = ([hook.name.as_str()], self.clock.now());
            let leasing =
                events::lease_events(&self.pool, &name, now, QUEUE.lease, QUEUE.batch_size);
            let events = with_timeout(self.timeout, leasing).await?;
            due.extend(events.into_iter().map(|event| (Arc::clone(hook), event)));
        }
        let process = |(hook, event): (Arc<Hook>, LeasedEvent)| {
            let worker = Arc::clone(self);
            async move { worker.process_event(&hook, &event).await }
        };
        Ok(process_batch(due, process).await)
    }

    async fn process_event(&self, hook: &Hook, event: &LeasedEvent) {
        let sent = hook.send(event, self.clock.now()).await;
        let now = self.clock.now();
        let settlement = match sent {
            Ok(()) => Settlement::Sent,
            Err(fault) => {
                let mut rng = self.randomness.rng();
                QUEUE.settle_fault(fault, event.attempt, event.at, now, &mut rng)
            }
        };
        self.metrics.event(settlement.as_str());
        let settling = events::settle_event(&self.pool, event, &settlement, now);
        let LeasedEvent { audit_id, hook, .. } = event;
        match (with_timeout(self.timeout, settling).await, settlement) {
            (Err(fault), _) => {
                tracing::error!(audit_id, hook, %fault, "cannot record the result for an event; it will be sent again");
            }
            (Ok(false), _) => tracing::warn!(audit_id, hook, "another worker has taken this event"),
            (Ok(true), Settlement::Sent) => tracing::info!(audit_id, hook, "event sent"),
            (Ok(true), Settlement::Retry { at, error }) => {
                tracing::warn!(audit_id, hook, %at, error, "event not sent; it will be retried");
            }
            (Ok(true), Settlement::Failed { error, .. }) => {
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
