//! The loop of every task that follows the database: it runs a round at each notification and at each poll.

use std::time::{Duration, Instant};

use sqlx::postgres::PgListener;
use tokio::sync::watch;

use crate::{
    database::{self, Pool, failures},
    directory::{StateFault, with_timeout},
};

/// When the next round begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextRound {
    /// At once: there may be more to do.
    AtOnce,
    /// At the next notification or poll.
    Later,
    /// Never: there is nothing to follow.
    Never,
}

/// How rounds follow each other.
#[derive(Debug, Clone, Copy)]
pub struct PollLoop<'a> {
    /// Where notifications come from.
    pub pool: &'a Pool,
    /// What is listened to; `None` where only time begins a round.
    pub channel: Option<&'a str>,
    /// The time between two rounds without a notification.
    pub poll: Duration,
    /// The time between two rounds while they fail.
    pub retry: Duration,
    /// How long opening the listener may take.
    pub timeout: Duration,
    /// What the log says, once, when rounds begin to fail.
    pub failed: &'static str,
    /// What the log says when they work again.
    pub recovered: &'static str,
}

impl PollLoop<'_> {
    /// Runs one round after the other until told to stop; the current round is finished first.
    pub async fn run<R>(self, mut stop: watch::Receiver<bool>, mut round: impl FnMut() -> R)
    where
        R: Future<Output = Result<NextRound, StateFault>>,
    {
        let mut listener: Option<(PgListener, Instant)> = None;
        let mut is_failing = false;
        while !*stop.borrow() {
            match round().await {
                Ok(next) => {
                    if std::mem::replace(&mut is_failing, false) {
                        tracing::info!("{}", self.recovered);
                    }
                    match next {
                        NextRound::AtOnce => continue,
                        NextRound::Later => {}
                        NextRound::Never => break,
                    }
                }
                Err(fault) if is_failing => tracing::debug!(%fault, "{}", self.failed),
                Err(fault) => {
                    is_failing = true;
                    tracing::error!(%fault, "{}", self.failed);
                }
            }
            // It hears nothing either where its connection is dead.
            listener = listener.filter(|(_, opened)| !failures::is_suspect(opened.elapsed()));
            if listener.is_none() && !is_failing {
                listener = self.listen().await;
            }
            let notified = async {
                match &mut listener {
                    // `None`: the connection was lost, and with it notifications. The next poll reads the tables.
                    Some((listener, _)) => {
                        listener.try_recv().await.is_ok_and(|hint| hint.is_some())
                    }
                    None => std::future::pending().await,
                }
            };
            let pause = if is_failing { self.retry } else { self.poll };
            tokio::select! {
                is_alive = notified => if !is_alive { listener = None; },
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => break,
            }
        }
    }

    /// Listens on a connection of its own: one that is dead is never given back, and may hold no place in a pool.
    async fn listen(&self) -> Option<(PgListener, Instant)> {
        let channel = self.channel?;
        let alone = database::pool_beside(self.pool, 1, self.timeout);
        let connected = with_timeout(self.timeout, async {
            let mut listener = PgListener::connect_with(&alone).await?;
            listener.listen(channel).await?;
            Ok::<_, StateFault>(listener)
        });
        Some((connected.await.ok()?, Instant::now()))
    }
}
