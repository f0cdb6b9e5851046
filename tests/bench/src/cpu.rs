//! What a process has spent: nanoseconds on a CPU, of it and of its children, from the scheduler's own account.

use std::{fs, path::Path};

/// Nanoseconds on a CPU, of every thread of a process and its children.
#[must_use]
pub fn nanoseconds(pid: u32) -> u64 {
    let tasks = Path::new("/proc").join(pid.to_string()).join("task");
    let threads = fs::read_dir(&tasks).into_iter().flatten().flatten();
    let own: u64 = threads
        .filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        })
        .sum();
    own + children(pid).into_iter().map(nanoseconds).sum::<u64>()
}

fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    fs::read_to_string(path)
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// Resident memory of a process, in MiB.
#[must_use]
pub fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or_default();
    kib / 1024.0
}
