//! Finds AccessKeys in any bytes: in a text that a source calls a credential, in a file of any size, in a git history.
//!
//! A block of bytes is searched in layers. `trigger` finds the few stretches that may contain a key; `search` reads
//! each of them as it stands and as every decoder (`decode`) reads it, up to `search::MAX_DEPTH` layers deep. A
//! `view` maps every byte of a layer back to the original. `shape` and `names` say what looks like an AccessKey,
//! and `judge` decides with what else stands in the file.

mod decode;
mod history;
mod input;
pub mod instant;
mod judge;
mod names;
mod search;
pub mod shape;
mod stream;
pub mod text;
mod trigger;
pub mod unicode;
mod view;

pub use self::{
    input::{InputBytes, InputFault, InputSink, Skipped, scan_input},
    shape::{Credential, SecretLengths},
    stream::{ScanFinding, scan_stream},
};

#[cfg(test)]
mod tests;
