//! akgate: a policy-enforcement gateway in front of RAM, IMS and STS.

#![forbid(unsafe_code)]

pub mod postgres;
