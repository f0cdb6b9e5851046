//! A report until it is acknowledged: the same request again and again, at one node after the other.

use std::time::Duration;

use rand::{RngExt, rngs::StdRng};
use tokio::time::{Instant, sleep};

use super::{ledger::Receipt, work::Work};
use crate::{
    Result,
    desk::{Outcome, Report},
    keys::Key,
};

/// How long a report is sent again and again.
const REPORTING: Duration = Duration::from_secs(120);

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(60);

/// From when on nobody is at work under an Idempotency-Key any more: its node was killed, or could not say that it had
/// failed. Longer than a node is stopped.
const ABANDONED: Duration = Duration::from_secs(7);

/// How long a report waits at a node that has been stopped, before another one is asked.
const STOPPED: Duration = Duration::from_secs(1);

/// Reports a key at any node until it is acknowledged.
///
/// # Errors
/// An answer that no fault explains.
pub async fn report(work: &Work, key: Key, rng: &mut StdRng) -> Result<Option<Receipt>> {
    let cluster = &work.cluster;
    let mut report = Report::new(key);
    let began = cluster.clock.now();
    let mut running_since = None;
    while cluster.clock.now() < began + REPORTING {
        let up = cluster.up();
        if up.is_empty() {
            sleep(Duration::from_millis(50)).await;
            continue;
        }
        let place = rng.random_range(0..up.len());
        let (number, addresses) = up.into_iter().nth(place).ok_or("no node is up")?;
        let node = cluster.nodes.get(number).ok_or("there is no such node")?;
        let stopped = async {
            node.gone().await;
            sleep(STOPPED).await;
        };
        let (exchange, outcome) = tokio::select! {
            answered = cluster.desk.report(addresses.admin, &report, ATTEMPT) => answered?,
            () = stopped => continue,
        };
        match outcome {
            Outcome::Acknowledged(acknowledgement) => {
                return Ok(Some(Receipt {
                    key,
                    node: number,
                    began,
                    at: exchange.ended,
                    acknowledgement,
                }));
            }
            Outcome::StillRunning => {
                let since = *running_since.get_or_insert_with(Instant::now);
                if since.elapsed() > ABANDONED {
                    running_since = None;
                    report.idempotency_key = uuid::Uuid::new_v4();
                    work.ledger.open().abandoned += 1;
                }
            }
            Outcome::Again => {}
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(None)
}
