//! Searches the corpus and counts what is found.

use std::{collections::BTreeMap, io};

use akgate_scan::{
    Credential, InputBytes, InputSink, ScanFinding, SecretLengths, Skipped, scan_input,
};

use crate::{
    carriers::{CARRIERS, fill},
    encodings::ENCODINGS,
    pairs::Random,
    positions::POSITIONS,
};

/// What was found in a file, as texts.
#[derive(Default)]
pub struct Found {
    pub ids: Vec<String>,
    pub secrets: Vec<String>,
}

impl InputSink for Found {
    fn found(&mut self, finding: ScanFinding) -> io::Result<()> {
        match finding.credential {
            Credential::Id(id) => self.ids.push(id.as_str().to_owned()),
            Credential::Secret(secret) => self.secrets.push(secret.expose().to_owned()),
        }
        Ok(())
    }

    fn skipped(&mut self, path: &str, why: Skipped) -> io::Result<()> {
        Err(io::Error::other(format!("{path}: {why}")))
    }
}

/// Searches one file.
pub fn search(bytes: &[u8]) -> Found {
    let mut found = Found::default();
    let input = InputBytes::Stream(Box::new(bytes));
    scan_input("file", input, SecretLengths::default(), false, &mut found)
        .expect("a file in memory is read");
    found
}

/// How a part of the corpus came out.
#[derive(Debug, Default)]
pub struct Recall {
    pub files: usize,
    /// Files of which the id or the secret was not found.
    pub missed: Vec<String>,
    /// Ids and secrets that were found and do not stand there.
    pub wrong: Vec<String>,
    /// Missed files, by encoding.
    pub by_encoding: BTreeMap<&'static str, usize>,
}

impl Recall {
    /// The part of the files whose pair was found.
    pub fn ratio(&self) -> f64 {
        1.0 - self.missed.len() as f64 / self.files as f64
    }
}

/// Searches every file, or of each 100 as many as are wanted.
pub fn measure(percent: usize) -> Recall {
    let mut random = Random(0x5eed);
    let mut recall = Recall::default();
    for (carrier, template) in CARRIERS {
        for (encoding, encode) in ENCODINGS {
            for (position, place) in POSITIONS {
                let pair = random.pair();
                if random.below(100) >= percent {
                    continue;
                }
                let text = place(&fill(template, &pair.id, &pair.secret));
                let found = search(&encode(&text));
                recall.files += 1;
                let name = format!("{carrier} {encoding} {position}");
                if !found.ids.contains(&pair.id) || !found.secrets.contains(&pair.secret) {
                    *recall.by_encoding.entry(encoding).or_default() += 1;
                    recall
                        .missed
                        .push(format!("{name}: {} {}", pair.id, pair.secret));
                }
                let is_wrong = |one: &&String| **one != pair.id && **one != pair.secret;
                let wrong = found.ids.iter().chain(&found.secrets).filter(is_wrong);
                recall
                    .wrong
                    .extend(wrong.map(|one| format!("{name}: {one}")));
            }
        }
    }
    recall
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_the_corpus_are_found() {
        let recall = measure(6);
        assert!(recall.files > 1_000, "{}", recall.files);
        assert!(
            recall.ratio() >= 0.995,
            "{:.4} {:?} {:#?}",
            recall.ratio(),
            recall.by_encoding,
            recall.missed
        );
    }

    /// A pair at every offset across the border of a window of the scanner, 1 MiB.
    #[test]
    fn pair_across_a_border_is_found() {
        let mut random = Random(7);
        let encodings = [
            "plain",
            "json",
            "base64_lines",
            "utf16le_bom",
            "percent_all",
        ];
        for (name, encode) in ENCODINGS
            .iter()
            .filter(|(name, _)| encodings.contains(name))
        {
            let pair = random.pair();
            let text = encode(&format!("id={}\nsecret={}\n", pair.id, pair.secret));
            for step in 0..40 {
                let before =
                    (1 << 20) - 16 * 1024 * (step % 3) - text.len() + step * text.len() / 20;
                let filler = encode("nothing here\n");
                let head = encode("");
                let mut file = head.clone();
                while file.len() + filler.len() <= before {
                    file.extend_from_slice(&filler);
                }
                let marks = if *name == "utf16le_bom" { 2 } else { 0 };
                file.extend(text.iter().skip(marks));
                for _ in 0..3000 {
                    file.extend(filler.iter().skip(marks));
                }
                let found = search(&file);
                assert!(found.ids.contains(&pair.id), "{name} {step}");
                assert!(found.secrets.contains(&pair.secret), "{name} {step}");
            }
        }
    }
}
