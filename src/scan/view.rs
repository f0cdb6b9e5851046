//! A layer of decoded text, and the way from each of its bytes back to the original.

use zeroize::Zeroizing;

/// How many bytes of the source a number of decoded bytes stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Copied.
    Same,
    /// Base64: 3 of 4.
    Base64,
    /// Hexadecimal digits, or UTF-16: 1 of 2.
    Half,
    /// UTF-32: 1 of 4.
    Quarter,
    /// All of one place.
    Point,
}

/// From `start` in the decoded text on, bytes stand for those from `source` on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    pub start: usize,
    pub source: usize,
    pub scale: Scale,
}

impl Piece {
    fn source_of(&self, at: usize) -> usize {
        let past = at.saturating_sub(self.start);
        self.source
            + match self.scale {
                Scale::Same => past,
                Scale::Base64 => past.saturating_mul(4) / 3,
                Scale::Half => past.saturating_mul(2),
                Scale::Quarter => past.saturating_mul(4),
                Scale::Point => 0,
            }
    }
}

/// What a decoder has made of a text.
#[derive(Default)]
pub(crate) struct Layer {
    pub text: Zeroizing<Vec<u8>>,
    pub pieces: Vec<Piece>,
}

impl Layer {
    /// From here on, the text stands for the source from `source` on.
    pub fn mark(&mut self, source: usize, scale: Scale) {
        let start = self.text.len();
        match self.pieces.last_mut() {
            Some(last) if last.start == start => {
                *last = Piece {
                    start,
                    source,
                    scale,
                }
            }
            _ => self.pieces.push(Piece {
                start,
                source,
                scale,
            }),
        }
    }

    /// Copies a part of the source.
    pub fn copy(&mut self, text: &[u8], source: usize) {
        self.mark(source, Scale::Same);
        self.text.extend_from_slice(text);
    }

    /// Something decoded, which stands for a place of the source.
    pub fn push(&mut self, bytes: &[u8], source: usize) {
        self.mark(source, Scale::Point);
        self.text.extend_from_slice(bytes);
    }
}

/// A text, and the one it was decoded from.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub text: &'a [u8],
    pub origin: Option<(&'a View<'a>, &'a [Piece])>,
    /// Where the text begins in its block; of a decoded one, 0.
    pub offset: usize,
}

impl<'a> View<'a> {
    pub fn new(text: &'a [u8], offset: usize) -> Self {
        Self {
            text,
            origin: None,
            offset,
        }
    }

    pub fn decoded(layer: &'a Layer, parent: &'a View<'a>) -> Self {
        Self {
            text: &layer.text,
            origin: Some((parent, &layer.pieces)),
            offset: 0,
        }
    }

    /// The same place in the text that this one was decoded from.
    pub fn parent_of(&self, at: usize) -> Option<(&'a View<'a>, usize)> {
        let (parent, pieces) = self.origin?;
        let index = pieces.partition_point(|piece| piece.start <= at);
        let piece = pieces.get(index.checked_sub(1)?)?;
        Some((parent, piece.source_of(at)))
    }

    /// The place in the block.
    pub fn locate(&self, at: usize) -> usize {
        match self.parent_of(at) {
            Some((parent, at)) => parent.locate(at),
            None => self.offset + at,
        }
    }

    /// Whether a range and the byte before and after it are only copied, so that the parent has shown them already.
    pub fn is_copied(&self, start: usize, end: usize) -> bool {
        let Some((_, pieces)) = self.origin else {
            return false;
        };
        let from = start.saturating_sub(1);
        let index = pieces.partition_point(|piece| piece.start <= from);
        let next = pieces.get(index).map_or(usize::MAX, |piece| piece.start);
        let piece = index.checked_sub(1).and_then(|index| pieces.get(index));
        piece.is_some_and(|piece| piece.scale == Scale::Same) && end < next
    }
}
