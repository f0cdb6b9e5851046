//! Looking restricted keys up, and what they take in memory: the structure that a gateway node uses.
//!
//! `lookup 1000000` prints nanoseconds per look-up and bytes per key.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

use std::{hint::black_box, time::Instant};

use akgate_bench::cpu;
use akgate_rules::access_key::AccessKeyId;
use akgate_state::live::memory::LiveRegistry;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use uuid::Uuid;

/// Look-ups of each kind.
const LOOKUPS: usize = 1_000_000;

fn id(n: usize) -> Option<AccessKeyId> {
    AccessKeyId::parse(&format!("LTAI5tFake{n:014}")).ok()
}

fn main() {
    let count: usize = std::env::args()
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(1_000_000);
    let before = cpu::resident(std::process::id());
    let restricted = (0..count).filter_map(|n| Some((id(n)?, Uuid::from_u128(n as u128))));
    let live = LiveRegistry::of_restrictions(count, restricted);
    let after = cpu::resident(std::process::id());
    let mut rng = StdRng::seed_from_u64(1);
    let mut asked = |from: usize| -> Vec<AccessKeyId> {
        (0..LOOKUPS)
            .filter_map(|_| id(from + rng.random_range(0..count)))
            .collect()
    };
    let (hits, misses) = (asked(0), asked(count));
    let time = |ids: &[AccessKeyId]| {
        let began = Instant::now();
        for id in ids {
            black_box(live.lineage(black_box(id), &[]));
        }
        began.elapsed().as_nanos() as f64 / ids.len() as f64
    };
    time(&misses);
    println!(
        "{count} restricted keys: {:.0} ns hit, {:.0} ns miss, {:.0} MiB, {:.0} bytes a key",
        time(&hits),
        time(&misses),
        after - before,
        (after - before) * 1024.0 * 1024.0 / count as f64
    );
}
