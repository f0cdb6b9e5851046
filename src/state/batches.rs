//! Batches: operations that arrive at the same time share one transaction, since a commit costs the database the same for one
//! row as for a hundred.
//!
//! No operation waits to be joined by others: the first starts at once. Those that arrive while the allowed number of batches
//! is running go together, in the order of their arrival.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{Semaphore, oneshot};

use crate::directory::{StateFault, with_timeout};

/// Writes many items in one transaction, all or nothing.
pub trait WriteBatch: Send + Sync + 'static {
    /// An item.
    type Item: Send + Sync + 'static;
    /// The outcome of an item.
    type Outcome: Send + 'static;

    /// Writes the items; returns the outcome of each, in their order.
    fn write(
        &self,
        items: &[Self::Item],
    ) -> impl Future<Output = Result<Vec<Self::Outcome>, StateFault>> + Send;
}

/// Gathers items into batches.
pub struct Batches<W: WriteBatch> {
    writer: W,
    settings: BatchSettings,
    waiting: Mutex<VecDeque<Waiting<W>>>,
    turns: Arc<Semaphore>,
}

/// The settings of [`Batches`].
#[derive(Debug, Clone, Copy)]
pub struct BatchSettings {
    /// The most batches that run at the same time.
    pub at_a_time: usize,
    /// The most items in a batch.
    pub most: usize,
    /// The time limit of a batch.
    pub timeout: Duration,
}

struct Waiting<W: WriteBatch> {
    item: W::Item,
    answer: oneshot::Sender<Result<W::Outcome, StateFault>>,
}

impl<W: WriteBatch> Batches<W> {
    /// Creates an empty queue.
    pub fn new(writer: W, settings: BatchSettings) -> Self {
        Self {
            writer,
            settings,
            waiting: Mutex::default(),
            turns: Arc::new(Semaphore::new(settings.at_a_time)),
        }
    }

    /// Writes an item, together with those that are submitted at the same time. A batch that has begun is finished even if
    /// its callers stop waiting.
    ///
    /// # Errors
    /// [`StateFault`]; nothing is written then, unless the commit itself failed.
    pub async fn submit(self: &Arc<Self>, item: W::Item) -> Result<W::Outcome, StateFault> {
        let (answer, mut answered) = oneshot::channel();
        self.queue().push_back(Waiting { item, answer });
        loop {
            tokio::select! {
                biased;
                outcome = &mut answered => return outcome.unwrap_or(Err(StateFault::TimedOut)),
                turn = Arc::clone(&self.turns).acquire_owned() => {
                    let batch = self.take_batch();
                    if batch.is_empty() {
                        break;
                    }
                    let this = Arc::clone(self);
                    tokio::spawn(async move {
                        let _turn = turn;
                        this.write(batch).await;
                    });
                    // A full batch may have left the caller's own item behind.
                }
            }
        }
        answered.await.unwrap_or(Err(StateFault::TimedOut))
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<Waiting<W>>> {
        // Each change is one push or one drain: a panic elsewhere leaves it whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the oldest items, without those whose callers have stopped waiting.
    fn take_batch(&self) -> Vec<Waiting<W>> {
        let mut queue = self.queue();
        queue.retain(|one| !one.answer.is_closed());
        let count = queue.len().min(self.settings.most);
        queue.drain(..count).collect()
    }

    async fn write(&self, batch: Vec<Waiting<W>>) {
        let (items, answers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|one| (one.item, one.answer)).unzip();
        let outcomes = match self.write_once(&items).await {
            // One item is at fault: the others must not fail with it.
            Err(fault) if items.len() > 1 && fault.is_about_data() => {
                let mut outcomes = Vec::with_capacity(items.len());
                for item in items.chunks(1) {
                    outcomes.push(match self.write_once(item).await {
                        Ok(mut one) => one.pop().ok_or(StateFault::Corrupt("a batch")),
                        Err(fault) => Err(fault),
                    });
                }
                outcomes
            }
            Err(fault) => {
                let fault = Arc::new(fault);
                let shared = || Err(StateFault::Shared(Arc::clone(&fault)));
                items.iter().map(|_| shared()).collect()
            }
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        };
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // The caller may have stopped waiting.
            drop(answer.send(outcome));
        }
    }

    async fn write_once(&self, items: &[W::Item]) -> Result<Vec<W::Outcome>, StateFault> {
        with_timeout(self.settings.timeout, self.writer.write(items)).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Doubles numbers, slowly; a batch with a negative number fails.
    #[derive(Default)]
    struct Doubling {
        batches: AtomicUsize,
    }

    impl WriteBatch for Doubling {
        type Item = i32;
        type Outcome = i32;

        async fn write(&self, items: &[i32]) -> Result<Vec<i32>, StateFault> {
            self.batches.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            match items.iter().any(|item| *item < 0) {
                true => Err(StateFault::Corrupt("negative")),
                false => Ok(items.iter().map(|item| item * 2).collect()),
            }
        }
    }

    fn batches() -> Arc<Batches<Doubling>> {
        let settings = BatchSettings {
            at_a_time: 1,
            most: 64,
            timeout: Duration::from_secs(5),
        };
        Arc::new(Batches::new(Doubling::default(), settings))
    }

    #[tokio::test]
    async fn items_that_arrive_together_share_a_batch() {
        let batches = batches();
        let all = (0..100).map(|n| {
            let batches = Arc::clone(&batches);
            tokio::spawn(async move { (n, batches.submit(n).await) })
        });
        for one in futures_util::future::join_all(all).await {
            let (n, doubled) = one.unwrap();
            assert_eq!(doubled.unwrap(), 2 * n);
        }
        let count = batches.writer.batches.load(Ordering::SeqCst);
        assert!(count <= 3, "{count} batches");
    }

    #[tokio::test]
    async fn item_at_fault_fails_alone() {
        let batches = batches();
        let all = [1, 2, -3, 4].map(|n| batches.submit(n));
        let outcomes = futures_util::future::join_all(all).await;
        let outcomes: Vec<Option<i32>> = outcomes.into_iter().map(Result::ok).collect();
        assert_eq!(outcomes, [Some(2), Some(4), None, Some(8)]);
    }

    #[tokio::test]
    async fn caller_who_leaves_holds_nobody_up() {
        let batches = batches();
        let first = tokio::time::timeout(Duration::from_millis(1), batches.submit(1)).await;
        assert!(first.is_err());
        assert_eq!(batches.submit(2).await.unwrap(), 4);
    }
}
