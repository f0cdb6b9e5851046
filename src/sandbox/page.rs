//! Pages: `Marker` and `MaxItems` in, `IsTruncated` and the next `Marker` out. A marker is the id of the
//! last thing shown.

use serde_json::{Value, json};

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    refused::SandboxFault,
};

/// The page that is asked for.
pub struct PageRequest {
    /// Show what comes after this id.
    pub after: i64,
    size: usize,
}

impl PageRequest {
    /// Reads it; without `MaxItems` it holds `default` things.
    pub fn asked(asked: &SandboxRequest, default: usize) -> Result<Self, SandboxFault> {
        Self::read(asked, ("Marker", "MaxItems"), default)
    }

    /// The same under other names.
    pub fn read(
        asked: &SandboxRequest,
        names: (&str, &str),
        default: usize,
    ) -> Result<Self, SandboxFault> {
        let (marker, count) = names;
        let size = match asked.get(count) {
            None => default,
            Some(text) => text
                .parse()
                .ok()
                .filter(|count| (1..=1000).contains(count))
                .ok_or_else(|| SandboxFault::incorrect(count))?,
        };
        let after = match asked.get(marker) {
            None => 0,
            Some(text) => text.parse().map_err(|_| SandboxFault::incorrect(marker))?,
        };
        Ok(Self { after, size })
    }

    /// The only page of a list that is not paged.
    pub fn whole() -> Self {
        Self {
            after: 0,
            size: usize::MAX,
        }
    }

    /// How many it holds.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many to read: one more than it holds tells whether there is another page.
    pub fn limit(&self) -> i64 {
        i64::try_from(self.size).map_or(i64::MAX, |size| size.saturating_add(1))
    }

    /// Cuts what was read to the page, and returns the marker of the next one.
    pub fn cut<T>(&self, read: impl Iterator<Item = (i64, T)>) -> (Vec<T>, Option<String>) {
        let mut read: Vec<(i64, T)> = read.collect();
        let more = read.len() > self.size;
        read.truncate(self.size);
        let last = read.last().map(|(id, _)| id.to_string());
        let shown = read.into_iter().map(|(_, one)| one).collect();
        (shown, last.filter(|_| more))
    }

    /// Writes it under a list's two names.
    pub fn write(
        &self,
        names: (&str, &str),
        read: impl Iterator<Item = (i64, Value)>,
    ) -> ResponseBody {
        let (shown, marker) = self.cut(read);
        let mut answer = single_member(names.0, json!({ names.1: shown }));
        answer.insert("IsTruncated".to_owned(), marker.is_some().into());
        if let Some(marker) = marker {
            answer.insert("Marker".to_owned(), marker.into());
        }
        answer
    }
}
