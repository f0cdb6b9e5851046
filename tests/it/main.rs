//! The one integration binary: a file per road, on a real PostgreSQL that the tests start themselves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a panic in a test is the failure itself, and a figure is printed to be read"
)]

mod additions;
mod addresses;
mod admin;
mod approvals;
mod architecture;
mod byte_positions;
mod captures;
mod certificates;
mod cli;
mod database;
mod database_host;
mod desk;
mod directory;
mod docs;
mod doctor;
mod events;
mod exceptions;
mod faults;
mod harness;
mod intruders;
mod key_ring;
mod keys;
mod layer;
mod leaks;
mod learning;
mod leaving;
mod letters;
mod lineage;
mod load_slots;
mod log_sink;
mod looking;
mod manual;
mod once;
mod openapi;
mod operators;
mod overload;
mod panics;
mod persuasion;
mod pooler;
mod postgres;
mod probes;
mod process;
mod readiness;
mod regression;
mod reports;
mod road;
mod routing;
mod sandbox;
mod sandbox_accounts;
mod sandbox_sign_in;
mod sandbox_wide;
mod serve;
mod sessions;
mod sign_in;
mod sources;
mod tricks;
mod upkeep;
mod vectors;
mod verify;
mod wait;
mod watch;
mod why;
mod window;
