//! Calls of a caller who has an AccessKey, and what they cost the node.

use std::{net::SocketAddr, time::Duration};

use tokio::time::Instant;

use crate::{
    Result,
    keys::Key,
    signer::{Answer, Kind, Signer},
    stats::Spread,
};

/// Calls in a window.
const CALLS: usize = 200;

/// How long a caller waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a number of windows has shown.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// Calls that were sent.
    pub calls: usize,
    /// Those that were not answered with 200.
    pub refused: usize,
    milliseconds: Vec<f64>,
    cpu: Duration,
}

impl Sample {
    pub(super) fn add(&mut self, window: Self) {
        self.calls += window.calls;
        self.refused += window.refused;
        self.milliseconds.extend(window.milliseconds);
        self.cpu += window.cpu;
    }

    /// The median, in milliseconds.
    pub(super) fn p50(&self) -> f64 {
        self.milliseconds.iter().copied().collect::<Spread>().p50
    }

    /// CPU time of the node in a window by its calls, in microseconds.
    pub(super) fn cpu_per_call(&self) -> f64 {
        // The counts are small.
        self.cpu.as_secs_f64() * 1e6 / f64::from(u32::try_from(self.calls).unwrap_or(u32::MAX))
    }
}

/// A window of reads, one after the other.
pub(super) async fn send(signer: &Signer, gateway: SocketAddr, pid: u32) -> Result<Sample> {
    let mut window = Sample::default();
    let before = cpu_time(pid)?;
    for _ in 0..CALLS {
        let began = Instant::now();
        let call = signer
            .call(gateway, Key(1), Kind::ListUsers, PATIENCE)
            .await?;
        window.calls += 1;
        window.refused += usize::from(!matches!(call.answer, Answer::Answered(200, _)));
        window
            .milliseconds
            .push(began.elapsed().as_secs_f64() * 1e3);
    }
    window.cpu = cpu_time(pid)?.saturating_sub(before);
    Ok(window)
}

/// User and system time of a process: the sum over its threads of `/proc/PID/task/TID/schedstat`, in nanoseconds.
fn cpu_time(pid: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may have ended meanwhile.
        let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else {
            continue;
        };
        let running = text.split_whitespace().next().unwrap_or_default();
        nanoseconds += running.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The resident memory of a process.
pub(super) fn resident_mib(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(f64::from(kib.ok_or("VmRSS")?.parse::<u32>()?) / 1024.0)
}
