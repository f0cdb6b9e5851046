//! Decoders: each reads a text in one other way and returns a layer, or nothing where there is nothing of its kind.

mod base64;
mod escape;
mod gbk;
mod gzip;
mod hexadecimal;
mod wide;

pub(crate) use self::{
    base64::{ascii_phases, is_base64_byte},
    escape::is_dense_escape,
    hexadecimal::text_phases,
    wide::{wide_runs, WIDE_RUN},
};
use crate::view::{Layer, View};

/// Every reading of a text, each with what it may cost: no layer is larger than its text, but for compressed ones.
pub(crate) const DECODERS: [fn(&View<'_>) -> Option<Layer>; 7] = [
    escape::unescape,
    escape::unescape_apart,
    base64::decode_runs,
    hexadecimal::decode_runs,
    wide::decode_runs,
    gbk::decode,
    gzip::decompress,
];

/// The value of a hexadecimal digit.
fn hex_value(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(16)
}
