//! A gzip stream inside of something decoded, as the releases of Helm are.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::view::{Layer, View};

/// How much of it is read, in bytes.
const MAX_DECOMPRESSED: u64 = 8 << 20;

/// Decompresses a text that is one.
pub(super) fn decompress(view: &View<'_>) -> Option<Layer> {
    view.origin?;
    let start = memchr::memmem::find(view.text.get(..view.text.len().min(4096))?, &[0x1f, 0x8b, 0x08])?;
    let mut layer = Layer::default();
    let stream = GzDecoder::new(view.text.get(start..)?).take(MAX_DECOMPRESSED);
    layer.mark(start, crate::view::Scale::Point);
    // What was decompressed before a fault counts.
    let mut stream = stream;
    stream.read_to_end(&mut layer.text).ok();
    (!layer.text.is_empty()).then_some(layer)
}
