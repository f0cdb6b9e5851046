//! A gzip stream inside of something decoded, as the releases of Helm are.

use std::io::Read;

use flate2::read::GzDecoder;
use memchr::memmem;

use crate::view::{Layer, Scale, View};

/// How much of it is read, in bytes.
const MAX_DECOMPRESSED: u64 = 8 << 20;

/// Decompresses a text that is one, up to so many bytes.
pub(crate) fn decompress(view: &View<'_>, room: usize) -> Option<Layer> {
    view.origin?;
    let head = view.text.get(..view.text.len().min(4096))?;
    let start = memmem::find(head, &[0x1f, 0x8b, 0x08])?;
    let mut layer = Layer::default();
    layer.mark(start, Scale::Point);
    let room = MAX_DECOMPRESSED.min(room as u64);
    let mut stream = GzDecoder::new(view.text.get(start..)?).take(room);
    // What was decompressed before a fault counts.
    stream.read_to_end(&mut layer.text).ok();
    (!layer.text.is_empty()).then_some(layer)
}
