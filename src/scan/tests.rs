//! Every sample file is read.

use std::{collections::HashMap, fs, io, path::PathBuf};

use super::*;

#[derive(Default)]
struct Found {
    findings: Vec<ScanFinding>,
    skipped: Vec<(String, Skipped)>,
}

impl InputSink for Found {
    fn found(&mut self, finding: ScanFinding) -> io::Result<()> {
        self.findings.push(finding);
        Ok(())
    }

    fn skipped(&mut self, path: &str, why: Skipped) -> io::Result<()> {
        self.skipped.push((path.to_owned(), why));
        Ok(())
    }
}

impl Found {
    fn texts(&self) -> Vec<&str> {
        let text = |one: &ScanFinding| match &one.credential {
            Credential::Id(id) => id.as_str().to_owned(),
            Credential::Secret(secret) => secret.expose().to_owned(),
        };
        self.findings.iter().map(|one| &*text(one).leak()).collect()
    }
}

fn scan(name: &str, bytes: &[u8]) -> Found {
    let mut found = Found::default();
    let input = InputBytes::Stream(Box::new(bytes));
    scan_input(name, input, SecretLengths::default(), false, &mut found).unwrap();
    found
}

fn samples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/samples")
}

/// Id and secret of each pair, by its name.
fn pairs() -> HashMap<String, (String, String)> {
    let text = fs::read_to_string(samples().join("pairs.tsv")).unwrap();
    let pair = |line: &str| {
        let [name, id, secret] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        (name.to_owned(), (id.to_owned(), secret.to_owned()))
    };
    text.lines().map(pair).collect()
}

#[test]
fn pair_is_found_in_every_sample() {
    let pairs = pairs();
    let expected = fs::read_to_string(samples().join("expected.tsv")).unwrap();
    let mut missed = Vec::new();
    let mut count = 0;
    for line in expected.lines().filter(|line| line.starts_with("scan/")) {
        let mut columns = line.split('\t');
        let (file, what) = (columns.next().unwrap(), columns.next().unwrap());
        let (name, what) = what.split_once(':').unwrap();
        let (id, secret) = &pairs[name];
        let found = scan(file, &fs::read(samples().join(file)).unwrap());
        let texts = found.texts();
        let has_id = what == "secret" || texts.contains(&id.as_str());
        if !has_id || !texts.contains(&secret.as_str()) || texts.len() > 2 {
            missed.push(format!("{file}: {texts:?}"));
        }
        count += 1;
    }
    assert!(count >= 25, "{count}");
    assert!(missed.is_empty(), "{missed:#?}");
}
