//! Stopping a process: it reports that it is not ready, serves until load balancers have noticed, finishes the requests
//! in progress, and writes the remaining records.

use std::time::Duration;

use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use akgate_net::server::ShutdownSignals;
use akgate_state::calls::recorder::Recorder;

/// How long letters, events and upkeep in progress may take once the last call is answered.
const WORK_TIMEOUT: Duration = Duration::from_secs(5);

/// The signals that stop the tasks of a process, in their order.
#[derive(Debug, Default)]
pub(super) struct ShutdownStages {
    /// No new work begins that another node can do, and /readyz answers 503.
    pub leave: watch::Sender<bool>,
    /// No new calls are accepted.
    pub close: watch::Sender<bool>,
    /// Nothing more is recorded.
    pub finish: watch::Sender<bool>,
}

/// The tasks of a process.
pub(super) struct ProcessTasks {
    /// The listeners.
    pub serving: JoinSet<()>,
    /// Letters, events and upkeep; other nodes do what remains.
    pub working: JoinSet<()>,
    /// What follows the database, and writes records.
    pub recording: JoinHandle<()>,
}

/// Ends a process, in stages. `record_timeout` is how long the last records may take.
pub(super) async fn shut_down(
    signals: &mut ShutdownSignals,
    delay: Duration,
    stages: &ShutdownStages,
    mut tasks: ProcessTasks,
    recorder: &Recorder,
    record_timeout: Duration,
) {
    stages.leave.send_replace(true);
    if !delay.is_zero() {
        let delay_seconds = delay.as_secs();
        tracing::info!(delay_seconds, "stopping: not ready any more, still serving");
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = signals.next() => {}
        }
    }
    tracing::info!("stopping: waiting for requests in progress");
    stages.close.send_replace(true);
    while tasks.serving.join_next().await.is_some() {}
    let worked = async { while tasks.working.join_next().await.is_some() {} };
    if tokio::time::timeout(WORK_TIMEOUT, worked).await.is_err() {
        tracing::warn!(
            "stopping in the middle of letters, events or upkeep; they are taken up again later"
        );
        tasks.working.abort_all();
    }
    // What the last requests left behind is written before the end.
    stages.finish.send_replace(true);
    if tokio::time::timeout(record_timeout, &mut tasks.recording)
        .await
        .is_err()
    {
        tasks.recording.abort();
    }
    let records = recorder.unwritten();
    if records > 0 {
        tracing::error!(records, "some records could not be written before exit");
    }
}
