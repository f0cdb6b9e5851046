//! A generated corpus: every carrier of a pair, in every encoding, at every position, each file with a pair of its own.

pub mod carriers;
pub mod encodings;
pub mod measure;
pub mod pairs;
pub mod positions;
