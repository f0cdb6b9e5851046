//! A short nemesis: the faults of nodes, and one failover that loses commits. `./dev drill nemesis` is the long one.
//!
//! `cargo test --workspace` builds the `akgate` that is run; it is built here where it is missing, not where it is old.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a panic in a test is the failure itself, and figures are printed to be read"
)]

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use akgate_drill::{
    fault::Kind,
    nemesis::{Settings, run},
};

/// The binary of this test's own profile.
fn akgate() -> PathBuf {
    // target/PROFILE/deps/nemesis-HASH
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let akgate = profile.join("akgate");
    if !akgate.exists() {
        let mut build = Command::new(env!("CARGO"));
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        build.args(["build", "--bin", "akgate"]).current_dir(root);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success());
    }
    akgate
}

#[tokio::test(flavor = "multi_thread")]
async fn call_sent_after_a_receipt_never_passes_during_faults() {
    let summary = run(&Settings {
        akgate: akgate(),
        nodes: 3,
        receipts: 150,
        calls_per_node: 2,
        at_once: 16,
        interval: Duration::from_millis(110),
        time: Duration::from_secs(40),
        seed: 7,
        faults: Kind::OF_NODES.to_vec(),
        failover_every: 3,
        failovers: 1,
        logs: None,
    })
    .await
    .unwrap();
    println!("{summary}");
    assert!(summary.holds(), "{summary}");
}

/// `./dev drill planted` puts it in.
#[test]
fn planted_bug_patch_still_applies() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let patch = "tests/drill/planted/late-comparison.patch";
    let checked = std::process::Command::new("git")
        .args(["apply", "--check", patch])
        .current_dir(root)
        .status();
    assert!(checked.is_ok_and(|status| status.success()));
}
