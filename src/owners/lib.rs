//! What account owners see: letters, and the pages behind the links of letters and refusals.

#![forbid(unsafe_code)]

pub mod letters;
pub mod pages;
