//! The quick scenes of `./dev drill faults`, on two nodes without a balancer.
//!
//! `cargo test --workspace` builds the `akgate` that is run; it is built by `nemesis.rs` where it is missing.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a panic in a test is the failure itself, and figures are printed to be read"
)]

use std::path::PathBuf;

use akgate_drill::faults::{Scene, Settings, run};

/// The binary of this test's own profile: target/PROFILE/deps/faults-HASH.
fn akgate() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("akgate")
}

async fn holds(scene: Scene) {
    let summary = run(&Settings {
        akgate: akgate(),
        nodes: 2,
        callers: 4,
        balancer: false,
        scenes: vec![scene],
        kills: 6,
        restarts: 0,
        logs: None,
    })
    .await
    .unwrap();
    println!("{summary}");
    assert!(summary.holds(), "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mutations_pass_again_after_every_connection_froze() {
    holds(Scene::Frozen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mutations_pass_again_after_a_promotion_that_the_address_follows() {
    holds(Scene::Promoted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn host_that_takes_writes_is_found_and_followed() {
    holds(Scene::Followed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn host_that_is_restarted_as_a_standby_is_left() {
    holds(Scene::Demoted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn database_without_connections_is_waited_for_in_bounds() {
    holds(Scene::NoConnections).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_with_a_killed_process() {
    holds(Scene::Kills).await;
}
