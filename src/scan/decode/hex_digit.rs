//! Hexadecimal digits.

/// The value of a hexadecimal digit.
pub(super) fn hex_value(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(16)
}
