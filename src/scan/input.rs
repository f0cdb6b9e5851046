//! An input of any kind: a text in any encoding, a history, a compressed file, an archive and what is in it.

use std::{
    fmt,
    io::{self, BufReader, Cursor, Read, Seek},
};

use flate2::bufread::MultiGzDecoder;

use crate::{
    history::{is_history, scan_history},
    shape::SecretLengths,
    stream::{ScanFinding, scan_stream},
    unicode::{ByteOrder, Utf16Reader},
};

/// How much of an input is looked at to recognise what it is, in bytes.
const DETECTION_BYTES: u64 = 64 << 10;

/// How many archives may be inside of each other.
const MAX_DEPTH: usize = 4;

/// How much is unpacked of one input, in bytes.
const MAX_UNPACKED: u64 = 4 << 30;

/// The largest zip archive that is read from a pipe or from another archive, in bytes.
const MAX_BUFFERED: u64 = 256 << 20;

/// How many members of one input are read.
const MAX_MEMBERS: usize = 1_000_000;

/// Why something was not searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skipped {
    /// Compressed or packed in a way that is not read.
    Packed(&'static str),
    /// A member of an archive is encrypted.
    Encrypted,
    /// It is damaged, or no archive of its kind.
    Damaged(String),
    /// Archives in archives, beyond the bound.
    TooDeep,
    /// More than is unpacked of one input.
    TooLarge,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packed(how) => write!(f, "{how} is not read"),
            Self::Encrypted => f.write_str("encrypted"),
            Self::Damaged(fault) => write!(f, "cannot be unpacked: {fault}"),
            Self::TooDeep => write!(f, "more than {MAX_DEPTH} archives in each other"),
            Self::TooLarge => f.write_str("too large when unpacked"),
        }
    }
}

/// What an input shows.
pub trait InputSink {
    /// A credential was found.
    ///
    /// # Errors
    /// It cannot be passed on.
    fn found(&mut self, finding: ScanFinding) -> io::Result<()>;

    /// Something was not searched.
    ///
    /// # Errors
    /// It cannot be passed on.
    fn skipped(&mut self, path: &str, why: Skipped) -> io::Result<()>;
}

/// Why an input was not read to its end.
#[derive(Debug)]
pub enum InputFault {
    /// It cannot be read.
    Input(io::Error),
    /// The sink failed.
    Sink(io::Error),
}

/// A source of bytes: a file, where an archive is read in place, or a stream.
pub enum InputBytes<'r> {
    /// Can go back.
    Seekable(Box<dyn SeekRead + 'r>),
    /// Cannot.
    Stream(Box<dyn Read + 'r>),
}

/// A file in a file system or in memory.
pub trait SeekRead: Read + Seek {}

impl<T: Read + Seek> SeekRead for T {}

/// Searches an input to its end. `anywhere` says that a history may begin after other text, as on standard input.
///
/// # Errors
/// [`InputFault`].
pub fn scan_input(
    name: &str,
    input: InputBytes<'_>,
    lengths: SecretLengths,
    anywhere: bool,
    sink: &mut dyn InputSink,
) -> Result<(), InputFault> {
    let mut unpacker = Unpacker {
        lengths,
        anywhere,
        left: MAX_UNPACKED,
        members: 0,
        sink,
    };
    unpacker.scan(name, input, 0)
}

struct Unpacker<'s> {
    lengths: SecretLengths,
    anywhere: bool,
    /// How much may still be unpacked, in bytes.
    left: u64,
    members: usize,
    sink: &'s mut dyn InputSink,
}

impl Unpacker<'_> {
    fn scan(&mut self, name: &str, input: InputBytes<'_>, depth: usize) -> Result<(), InputFault> {
        match input {
            InputBytes::Seekable(mut file) => {
                let head = read_head(&mut file).map_err(InputFault::Input)?;
                if Packing::of(&head) == Some(Packing::Zip) {
                    return self.zip(name, file, depth);
                }
                self.scan_from(name, &head, &mut file, depth)
            }
            InputBytes::Stream(mut stream) => {
                let head = read_head(&mut stream).map_err(InputFault::Input)?;
                if Packing::of(&head) == Some(Packing::Zip) {
                    let mut whole = Vec::new();
                    let mut all = Cursor::new(head).chain(stream).take(MAX_BUFFERED + 1);
                    all.read_to_end(&mut whole).map_err(InputFault::Input)?;
                    if whole.len() as u64 > MAX_BUFFERED {
                        return self.skipped(name, Skipped::TooLarge);
                    }
                    return self.zip(name, Cursor::new(whole), depth);
                }
                self.scan_from(name, &head, &mut stream, depth)
            }
        }
    }

    fn skipped(&mut self, name: &str, why: Skipped) -> Result<(), InputFault> {
        self.sink.skipped(name, why).map_err(InputFault::Sink)
    }

    fn scan_from(
        &mut self,
        name: &str,
        head: &[u8],
        rest: &mut dyn Read,
        depth: usize,
    ) -> Result<(), InputFault> {
        let packing = Packing::of(head);
        let whole = Cursor::new(head).chain(rest);
        match packing {
            None | Some(Packing::Zip) => self.text(name, head, whole, depth),
            Some(_) if depth == MAX_DEPTH => self.skipped(name, Skipped::TooDeep),
            Some(Packing::Gzip) => self.member(
                name,
                &mut MultiGzDecoder::new(BufReader::new(whole)),
                depth + 1,
            ),
            Some(Packing::Tar) => self.tar(name, whole, depth),
            Some(Packing::Other(how)) => {
                self.text(name, head, whole, depth)?;
                self.skipped(name, Skipped::Packed(how))
            }
        }
    }

    /// Searches what is no archive.
    fn text(
        &mut self,
        name: &str,
        head: &[u8],
        input: impl Read,
        depth: usize,
    ) -> Result<(), InputFault> {
        let mut fault = None;
        let mut give = |sink: &mut dyn InputSink, finding| {
            if fault.is_none() {
                fault = sink.found(finding).err();
            }
        };
        let order = ByteOrder::detect(head);
        let input: Box<dyn Read> = match order {
            Some(order) => Box::new(Utf16Reader::new(input, order)),
            None => Box::new(input),
        };
        let form = match order {
            None => is_history(head, self.anywhere && depth == 0),
            Some(_) => None,
        };
        let read = match form {
            Some(form) => scan_history(
                BufReader::new(input),
                form,
                self.lengths,
                &mut |mut finding| {
                    if finding.path.is_none() && finding.commit.is_none() {
                        finding.path = Some(name.to_owned());
                    }
                    give(self.sink, finding);
                },
            ),
            None => scan_stream(input, self.lengths, &mut |line, credential| {
                let finding = ScanFinding {
                    path: Some(name.to_owned()),
                    line,
                    commit: None,
                    first_seen: None,
                    credential,
                };
                give(self.sink, finding);
            }),
        };
        match (fault, read) {
            (Some(fault), _) => Err(InputFault::Sink(fault)),
            (None, Err(fault)) => Err(InputFault::Input(fault)),
            (None, Ok(())) => Ok(()),
        }
    }

    /// Searches what was unpacked. Its faults are those of the archive.
    fn member(&mut self, name: &str, input: &mut dyn Read, depth: usize) -> Result<(), InputFault> {
        let before = self.left;
        let mut bounded = Bounded {
            input,
            left: before,
            is_over: false,
        };
        let scanned = self.scan(name, InputBytes::Stream(Box::new(&mut bounded)), depth);
        self.left = bounded.left;
        match scanned {
            Ok(()) if bounded.is_over => self.skipped(name, Skipped::TooLarge),
            Err(InputFault::Input(fault)) => {
                self.skipped(name, Skipped::Damaged(fault.to_string()))
            }
            other => other,
        }
    }

    fn tar(&mut self, name: &str, input: impl Read, depth: usize) -> Result<(), InputFault> {
        let mut archive = tar::Archive::new(input);
        let entries = match archive.entries() {
            Ok(entries) => entries,
            Err(fault) => return self.skipped(name, Skipped::Damaged(fault.to_string())),
        };
        for entry in entries {
            let mut entry = match entry {
                Ok(entry) => entry,
                Err(fault) => return self.skipped(name, Skipped::Damaged(fault.to_string())),
            };
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            if !self.may_read_more(name)? {
                return Ok(());
            }
            self.member(&format!("{name}!/{path}"), &mut entry, depth + 1)?;
        }
        Ok(())
    }

    fn zip(&mut self, name: &str, input: impl Read + Seek, depth: usize) -> Result<(), InputFault> {
        if depth == MAX_DEPTH {
            return self.skipped(name, Skipped::TooDeep);
        }
        let mut archive = match zip::ZipArchive::new(input) {
            Ok(archive) => archive,
            Err(fault) => return self.skipped(name, Skipped::Damaged(fault.to_string())),
        };
        for index in 0..archive.len() {
            let named = archive.name_for_index(index).and_then(Result::ok);
            let named = named.unwrap_or_default().into_owned();
            let mut entry = match archive.by_index(index) {
                Ok(entry) => entry,
                Err(fault) => {
                    let why = match fault {
                        zip::result::ZipError::UnsupportedArchive(_) => Skipped::Encrypted,
                        fault => Skipped::Damaged(fault.to_string()),
                    };
                    self.skipped(&format!("{name}!/{named}"), why)?;
                    continue;
                }
            };
            if !entry.is_file() {
                continue;
            }
            let path = format!("{name}!/{}", String::from_utf8_lossy(entry.name_raw()));
            if !self.may_read_more(name)? {
                return Ok(());
            }
            self.member(&path, &mut entry, depth + 1)?;
        }
        Ok(())
    }

    /// Whether another member may be read; says so if not.
    fn may_read_more(&mut self, name: &str) -> Result<bool, InputFault> {
        self.members += 1;
        if self.members <= MAX_MEMBERS && self.left > 0 {
            return Ok(true);
        }
        self.skipped(name, Skipped::TooLarge)?;
        Ok(false)
    }
}

fn read_head(input: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    input.take(DETECTION_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// How something is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Gzip,
    Zip,
    Tar,
    /// In a way that is not read.
    Other(&'static str),
}

impl Packing {
    fn of(head: &[u8]) -> Option<Self> {
        let is_tar = head.get(257..262) == Some(b"ustar");
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => {
                Some(Self::Zip)
            }
            _ if is_tar => Some(Self::Tar),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] => Some(Self::Other("bzip2")),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Other("xz")),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Other("zstd")),
            [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => Some(Self::Other("7z")),
            [b'R', b'a', b'r', b'!', 0x1a, 7, ..] => Some(Self::Other("rar")),
            [4, 0x22, 0x4d, 0x18, ..] => Some(Self::Other("lz4")),
            [0x1f, 0x9d, ..] => Some(Self::Other("compress")),
            [b'P', b'A', b'C', b'K', 0, 0, 0, 2 | 3, ..] => Some(Self::Other("a pack of git")),
            _ => None,
        }
    }
}

/// A reader that ends when enough was unpacked.
struct Bounded<'r> {
    input: &'r mut dyn Read,
    left: u64,
    is_over: bool,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if room == 0 && !buffer.is_empty() {
            self.is_over = true;
            return Ok(0);
        }
        let read = self
            .input
            .read(buffer.get_mut(..room).unwrap_or_default())?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}
