//! The one integration binary: a file per road, on a real PostgreSQL that the tests start themselves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a panic in a test, or in what it calls, is the failure itself"
)]

mod architecture;
mod byte_positions;
mod captures;
mod database;
mod faults;
mod postgres;
mod vectors;
mod verify;
