//! The command line: one role per process, and the only place that exits.

fn main() {}
