//! The rules of akgate: parse a request, verify its signature, classify its operation, and decide whether it may pass.
//!
//! Pure and total: no clock, no I/O, no panic. A crate of its own, so that it is compiled optimised once
//! while the rest changes: the tests put every byte position of every capture through it.

#![forbid(unsafe_code)]

pub mod access_key;
pub mod evidence;
pub mod exception;
pub mod fault;
pub mod identity;
pub mod ladder;
pub mod leak;
pub mod lineage;
pub mod mac_key;
pub mod operation;
pub mod position;
pub mod request;
pub mod restriction;
pub mod secret_fragments;
pub mod signature;
#[macro_use]
pub mod text_enum;
pub mod verdict;
pub mod visible_text;
