//! Decoders: each reads a text in one other way and returns a layer, or nothing where there is nothing of its kind.

mod base64;
mod escape;
mod gbk;
mod gzip;
mod hex_digit;
mod hexadecimal;
mod wide;

pub(crate) use self::{
    base64::{ascii_phases, is_base64_byte},
    escape::is_dense_escape,
    gzip::decompress,
    hexadecimal::text_phases,
    wide::{WIDE_RUN, wide_runs},
};
use crate::view::{Layer, View};

/// Every reading of a text: no layer is much larger than its text.
pub(crate) const DECODERS: [fn(&View<'_>) -> Option<Layer>; 6] = [
    escape::unescape,
    escape::unescape_apart,
    base64::decode_runs,
    hexadecimal::decode_runs,
    wide::decode_runs,
    gbk::decode,
];
