//! A model of what must hold across nodes, and every order of its steps.
//!
//! The gateway's promise: a call that began after the receipt of its key's restriction does not pass, at any node.
//! Nodes decide from memory, news reaches them late, processes stop at any place for any time, nodes crash, and
//! an asynchronous failover loses commits. This crate writes the protocol down as steps and lets
//! [stateright](https://docs.rs/stateright) try every order of them. It knows nothing of the gateway's code.
//!
//! # Parties and steps
//!
//! Each [`Action`](model::Action) is one step of one party. Between any two steps every other party may take any
//! number of steps: that is what a stop, a slow disk or a lost notification looks like from outside.
//!
//! - The **database** ([`database`]) holds the counter's row (history and revision), the restrictions, and a row
//!   for each node. The first commit on a promoted server stamps a new history. A failover replaces the whole
//!   content by what it was at some earlier time; the old server is gone for ever.
//! - A **writer** ([`writer`]) commits one restriction, reads `nodes`, waits for each node that is not fenced until it
//!   has applied the restriction or lease + drift have run, fences who is silent, and returns the receipt.
//! - A **node** ([`node`]) applies news in order, reports what it applied, and takes leases: it reads its clock,
//!   commits an announcement to its row, reads the position, applies everything up to it, and holds the lease.
//! - A **call** ([`call`]) is a mutation or a strict read. A mutation reads the node's position, looks its key up,
//!   writes an intent that returns the database's position, and compares the two; if the intent is newer, the node
//!   catches up and the decision is repeated. A strict read finds a valid lease, then looks its key up.
//!
//! # Time
//!
//! There are no clocks. A lease that is counted from before a wait of lease + drift began is over when that wait is
//! over; a lease that is counted from after it may still be valid. The state holds just that: which of the running
//! waits began after the instant that a lease is counted from ([`clock`]). A wait ends at any time.
//!
//! # What is bounded, and why that is enough
//!
//! - One call in each run, at any time, with either key, at node 0. Calls do not change what other calls see, so a
//!   run that breaks the promise breaks it with one call alone. Nodes are interchangeable, so node 0 is any node.
//! - The other nodes take part by what a writer sees of them: announcements, fences, and at any time the report that
//!   a restriction is applied. Nothing reads their memory or their leases, so the state holds neither, and a crash
//!   of theirs changes nothing. A failover does not take their rows back: that changes for whom a writer waits, and
//!   a report at any time covers it.
//! - Two keys, two or three restrictions, at most two faults (a crash of node 0, a failover): `tests/it/holds.rs`
//!   lists the products that are explored, by [`Bounds`](config::Bounds). Each restriction has a writer of its own,
//!   which goes on across a failover. Keys are never cleared.
//! - Renewals are not bounded: of the numbers of announcements only equality and order are kept.
//! - With mutations there are no leases and no barrier: a receipt is given at any time after the commit, which is
//!   whatever a barrier could do.
//! - A node reads news and applies it in one step (one task does both). It takes up a new history in one step.
//! - A second failover goes to a standby that followed the first one's server.
//! - Left out, since no receipt's promise rests on it: the permit's 5 seconds, what becomes of a read without a lease
//!   (it does not begin here), and the receipt's count of calls in flight.
//!
//! # Rules that can be broken
//!
//! Each field of [`Protocol`](config::Protocol) is a rule. `tests/it/holds.rs` explores all of
//! [`Protocol::SOUND`](config::Protocol::SOUND); `tests/it/broken.rs` breaks one rule at a time, and each is found.

//!
//! # What is new
//!
//! [`additions`] is a second model: keys that become known, the reader that must miss none, and the report of a secret whose
//! key becomes known meanwhile.

#![allow(
    clippy::indexing_slicing,
    reason = "arrays have one element per node or writer, and a panic fails the exploration"
)]

pub mod additions;
mod announcement;
pub mod call;
pub mod clock;
pub mod config;
pub mod database;
mod failover;
pub mod log;
pub mod model;
pub mod node;
mod properties;
pub mod state;
pub mod writer;

pub use properties::SAFETY;
