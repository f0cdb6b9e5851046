//! A fiftieth of `./dev drill oracle`: what akgate decides is what its documents say.

#![allow(
    clippy::unwrap_used,
    reason = "a panic in a test is the failure itself"
)]

use std::path::Path;

use akgate_drill::oracle;

#[test]
fn decisions_are_those_that_the_documents_promise() {
    let program = Path::new(env!("CARGO_BIN_EXE_akgate-drill"));
    assert!(oracle::compare(program, 20_000, 1).unwrap());
}
