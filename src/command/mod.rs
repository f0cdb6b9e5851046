//! The commands of the binary: each takes its arguments and its outputs, and answers an exit code.

pub mod classify;
