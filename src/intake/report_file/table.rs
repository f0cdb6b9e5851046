//! CSV with any separator, in UTF-8 or GBK, with the lines of any system.

use std::io::{self, BufRead, Read};

use csv::ByteRecord;

use super::{
    entry::ReportEntry,
    plain::{PlainFinding, Role},
};
use akgate_scan::{SecretLengths, unicode::decode_text};
use akgate_state::directory::import::{InvalidLine, describe_csv_error};

/// What separates columns.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The roles of the columns that a header line names, and the separator between them.
pub(super) fn read_header(line: &str) -> (Vec<Option<Role>>, u8) {
    let count = |separator: u8| {
        let mut is_quoted = false;
        line.bytes()
            .filter(|b| {
                is_quoted ^= *b == b'"';
                *b == separator && !is_quoted
            })
            .count()
    };
    let separator = SEPARATORS
        .into_iter()
        .rev()
        .max_by_key(|separator| count(*separator))
        .unwrap_or(b',');
    let mut is_quoted = false;
    let names = line.split(|c| {
        is_quoted ^= c == '"';
        c == char::from(separator) && !is_quoted
    });
    let roles = names.map(|name| Role::of(name.trim().trim_matches('"')));
    (roles.collect(), separator)
}

/// Reads a table to its end.
pub(super) fn read_table<'r>(
    input: impl BufRead + 'r,
    lengths: SecretLengths,
) -> Box<dyn Iterator<Item = ReportEntry> + 'r> {
    let mut lines = UnixLines::new(input);
    let rejected = |line, reason, text| ReportEntry::Rejected {
        bad: InvalidLine { line, reason },
        text,
    };
    let (header, skipped) = match read_header_line(&mut lines) {
        Ok(header) => header,
        Err(fault) => {
            let entry = rejected(1, format!("cannot be read: {fault}"), Vec::new());
            return Box::new(std::iter::once(entry));
        }
    };
    let (roles, separator) = read_header(&header);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(separator)
        .from_reader(lines);
    let mut is_over = false;
    let next = move || {
        if is_over {
            return None;
        }
        let mut record = ByteRecord::new();
        let read = reader.read_byte_record(&mut record);
        let breaks = record.iter().flatten().filter(|b| **b == b'\n').count() as u64;
        // Every line ends, so the reader stands at the beginning of the one after the record.
        let line = reader.position().line().saturating_sub(1 + breaks) + skipped;
        match read {
            Ok(false) => None,
            Ok(true) => {
                let told = match record.len() == roles.len() {
                    true => read_record(&record, &roles).reports(lengths),
                    false => Err(format!(
                        "has {} fields, the header has {}",
                        record.len(),
                        roles.len()
                    )),
                };
                Some(match told {
                    Ok(reports) => ReportEntry::Reports(reports),
                    Err(reason) => rejected(line, reason, record_text(&record, separator)),
                })
            }
            Err(fault) => {
                is_over = true;
                Some(rejected(
                    line.max(1),
                    describe_csv_error(&fault),
                    record_text(&record, separator),
                ))
            }
        }
    };
    Box::new(std::iter::from_fn(next))
}

/// The header line, and how many lines it ends after. Spreadsheets can name the separator on a line before it.
fn read_header_line(lines: &mut impl Read) -> io::Result<(String, u64)> {
    let mut count = 0;
    loop {
        let mut line = Vec::new();
        let mut byte = [0];
        let mut is_quoted = false;
        while lines.read(&mut byte)? == 1 && (is_quoted || byte != *b"\n") && line.len() < 1 << 20 {
            is_quoted ^= byte == *b"\"";
            count += u64::from(byte == *b"\n");
            line.extend_from_slice(&byte);
        }
        count += 1;
        let text = decode_text(&line);
        let text = text.trim_start_matches('\u{feff}').trim();
        let is_header = !text.is_empty() && !text.to_ascii_lowercase().starts_with("sep=");
        if is_header || byte != *b"\n" {
            return Ok((text.to_owned(), count));
        }
    }
}

fn read_record(record: &ByteRecord, roles: &[Option<Role>]) -> PlainFinding {
    let mut finding = PlainFinding::default();
    for (field, role) in record.iter().zip(roles) {
        if let Some(role) = role {
            finding.set(*role, &decode_text(field));
        }
    }
    finding
}

fn record_text(record: &ByteRecord, separator: u8) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(separator)
        .flexible(true)
        .from_writer(Vec::new());
    // Writing into memory cannot fail.
    writer.write_byte_record(record).ok();
    let mut text = writer.into_inner().unwrap_or_default();
    while text.last().is_some_and(|byte| *byte == b'\n') {
        text.pop();
    }
    text
}

/// A text whose lines all end in `\n`, whatever they ended in, the last one as well.
struct UnixLines<R> {
    input: R,
    after_return: bool,
    last: u8,
}

impl<R> UnixLines<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            after_return: false,
            last: b'\n',
        }
    }
}

impl<R: BufRead> Read for UnixLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        while count == 0 && !buffer.is_empty() {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => continue,
                Err(fault) => return Err(fault),
            };
            if available.is_empty() {
                let is_open = self.last != b'\n';
                self.last = b'\n';
                if let Some(slot) = buffer.first_mut().filter(|_| is_open) {
                    *slot = b'\n';
                    return Ok(1);
                }
                return Ok(0);
            }
            let mut used = 0;
            for (byte, slot) in available.iter().zip(buffer.iter_mut()) {
                // As many as were written, or one more for each `\r\n`.
                used += 1;
                let is_second = *byte == b'\n' && self.after_return;
                self.after_return = *byte == b'\r';
                if is_second {
                    break;
                }
                *slot = if *byte == b'\r' { b'\n' } else { *byte };
                self.last = *slot;
                count += 1;
            }
            self.input.consume(used);
        }
        Ok(count)
    }
}
