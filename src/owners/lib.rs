//! What account owners see: letters, and the pages that letters and refusals lead to.

#![forbid(unsafe_code)]

pub mod letters;
pub mod pages;
