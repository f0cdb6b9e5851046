//! Change any byte of a signed request: it is refused, or what would be forwarded is the same.
//!
//! Every position of every capture, through the gateway's own receive path: flipped, deleted, and with
//! a byte inserted before it. Then the parameter tricks: two merged into one, one split, `+` for `%20`.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use akgate_rules::signature::{CredentialHandling, SignedPrint};
use time::OffsetDateTime;

use crate::captures::{CAPTURES, Capture};

/// What a change came to.
#[derive(Debug, Default)]
struct Tally {
    cases: usize,
    refused: usize,
    same: usize,
    different: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.refused += other.refused;
        self.same += other.same;
        self.different.extend(other.different);
    }
}

/// How a verified request becomes what is forwarded; the planted bug is another.
type Print = fn(&Capture, &[u8], OffsetDateTime) -> Option<SignedPrint>;

fn print(capture: &Capture, raw: &[u8], now: OffsetDateTime) -> Option<SignedPrint> {
    Some(
        capture
            .judge(raw, now)
            .ok()?
            .print(CredentialHandling::Keep),
    )
}

/// A gateway that forwards the Host it received.
fn print_with_host_echoed(
    capture: &Capture,
    raw: &[u8],
    now: OffsetDateTime,
) -> Option<SignedPrint> {
    let mut printed = print(capture, raw, now)?;
    let text = String::from_utf8_lossy(raw).into_owned();
    let host = text
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("host:"))?;
    printed.headers.push(("host".into(), host.to_owned()));
    Some(printed)
}

struct Trial {
    capture: &'static Capture,
    raw: Vec<u8>,
    now: OffsetDateTime,
    print: Print,
    forwarded: SignedPrint,
}

impl Trial {
    fn new(capture: &'static Capture, print: Print) -> Self {
        let raw = capture.raw();
        let now = capture.signed_at();
        let forwarded = print(capture, &raw, now).unwrap();
        Self {
            capture,
            raw,
            now,
            print,
            forwarded,
        }
    }

    fn change(&self, tally: &mut Tally, changed: &[u8], what: impl Fn() -> String) {
        tally.cases += 1;
        match (self.print)(self.capture, changed, self.now) {
            None => tally.refused += 1,
            Some(printed) if printed == self.forwarded => tally.same += 1,
            Some(_) => tally
                .different
                .push(format!("{}: {}", self.capture.name, what())),
        }
    }

    fn every_position(&self) -> Tally {
        let mut tally = Tally::default();
        let mut changed = self.raw.clone();
        for at in 0..self.raw.len() {
            let original = self.raw[at];
            // The lowest bit turns a character into its neighbour, 0x20 changes the case of a letter.
            for mask in [0x01, 0x20] {
                changed[at] = original ^ mask;
                self.change(&mut tally, &changed, || format!("flip {mask:#x} at {at}"));
            }
            changed[at] = original;
        }
        for at in 0..self.raw.len() {
            let without = [&self.raw[..at], &self.raw[at + 1..]].concat();
            self.change(&mut tally, &without, || format!("delete at {at}"));
            let inserted = b"&=%+ \r0a;,/?#"[at % 13];
            let with = [&self.raw[..at], &[inserted], &self.raw[at..]].concat();
            self.change(&mut tally, &with, || {
                format!("insert {inserted:#x} at {at}")
            });
        }
        tally
    }

    /// Merges neighbouring parameters, splits values, and swaps the two spellings of a space, in the
    /// target and in the body.
    fn parameter_tricks(&self) -> Tally {
        let mut tally = Tally::default();
        let swaps: [(&str, &str); 10] = [
            ("&", "%26"),
            ("%26", "&"),
            ("=", "%3D"),
            ("%3D", "="),
            ("%20", "+"),
            ("+", "%20"),
            ("%2B", "+"),
            ("&", ";"),
            ("%25", "%"),
            ("%", "%25"),
        ];
        for (from, to) in swaps {
            let found: Vec<usize> = self
                .raw
                .windows(from.len())
                .enumerate()
                .filter(|(_, window)| *window == from.as_bytes())
                .map(|(at, _)| at)
                .collect();
            for at in found {
                let rest = &self.raw[at + from.len()..];
                let changed = [&self.raw[..at], to.as_bytes(), rest].concat();
                let changed = with_true_length(changed);
                self.change(&mut tally, &changed, || format!("{from} -> {to} at {at}"));
            }
        }
        tally
    }
}

/// Corrects Content-Length, so that a change of the body is judged and not its framing.
fn with_true_length(raw: Vec<u8>) -> Vec<u8> {
    let Some(end) = raw.windows(4).position(|window| window == b"\r\n\r\n") else {
        return raw;
    };
    let length = raw.len() - end - 4;
    let Ok(head) = std::str::from_utf8(&raw[..end]) else {
        return raw;
    };
    let lines: Vec<String> = head
        .split("\r\n")
        .map(|line| match line.split_once(':') {
            Some((name, _)) if name.eq_ignore_ascii_case("content-length") => {
                format!("{name}: {length}")
            }
            _ => line.to_owned(),
        })
        .collect();
    [lines.join("\r\n").as_bytes(), &raw[end..]].concat()
}

fn run(captures: &[&'static Capture], print: Print, trial: fn(&Trial) -> Tally) -> Tally {
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let handles: Vec<_> = (0..workers)
            .map(|_| {
                scope.spawn(|| {
                    let mut tally = Tally::default();
                    while let Some(capture) = captures.get(next.fetch_add(1, Ordering::Relaxed)) {
                        tally.add(trial(&Trial::new(capture, print)));
                    }
                    tally
                })
            })
            .collect();
        let mut total = Tally::default();
        for handle in handles {
            total.add(handle.join().unwrap());
        }
        total
    })
}

fn valid() -> Vec<&'static Capture> {
    CAPTURES
        .iter()
        .filter(|capture| capture.expect == "valid" && capture.scheme != "acs3-rsa-sha256")
        .collect()
}

#[test]
fn changed_byte_is_refused_or_changes_nothing() {
    let tally = run(&valid(), print, Trial::every_position);
    println!(
        "byte positions: {} cases, {} refused, {} same",
        tally.cases, tally.refused, tally.same
    );
    assert!(
        tally.different.is_empty(),
        "{:#?}",
        &tally.different[..tally.different.len().min(20)]
    );
    assert_eq!(tally.cases, tally.refused + tally.same);
    assert!(tally.cases > 2_500_000, "{}", tally.cases);
    assert!(tally.same > 0);
}

#[test]
fn rewritten_parameters_are_refused_or_change_nothing() {
    let tally = run(&valid(), print, Trial::parameter_tricks);
    println!(
        "parameter tricks: {} cases, {} refused, {} same",
        tally.cases, tally.refused, tally.same
    );
    assert!(
        tally.different.is_empty(),
        "{:#?}",
        &tally.different[..tally.different.len().min(20)]
    );
    assert!(tally.same > 0);
}

#[test]
fn planted_bug_is_found() {
    let rpc: Vec<&'static Capture> = valid()
        .into_iter()
        .filter(|capture| capture.scheme == "rpc-v1-hmac-sha1")
        .take(2)
        .collect();
    let tally = run(&rpc, print_with_host_echoed, Trial::every_position);
    assert!(!tally.different.is_empty(), "a forwarded Host went unseen");
}
