//! Prints what is found: `akgate-corpus recall` for the generated corpus, `akgate-corpus real PATH…` for files without
//! keys, `akgate-corpus speed FILE` for one file, `akgate-corpus write FOLDER` to write the corpus for other scanners.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Instant,
};

use akgate_corpus::{
    carriers::{CARRIERS, fill},
    encodings::ENCODINGS,
    measure::{Found, measure},
    pairs::Random,
    positions::POSITIONS,
};
use akgate_scan::{InputBytes, SecretLengths, scan_input};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["recall"] => recall(),
        ["real", paths @ ..] if !paths.is_empty() => real(paths),
        ["speed", file] => speed(Path::new(file)),
        ["write", folder] => write(Path::new(folder)),
        _ => {
            eprintln!("usage: akgate-corpus recall | real PATH… | speed FILE | write FOLDER");
            std::process::exit(2);
        }
    }
}

fn recall() {
    let began = Instant::now();
    let recall = measure(100);
    for missed in &recall.missed {
        println!("missed {missed}");
    }
    for wrong in recall.wrong.iter().take(40) {
        println!("wrong {wrong}");
    }
    println!(
        "{} files, found {:.2} %, {} wrong, {:.0} s; missed by encoding: {:?}",
        recall.files,
        recall.ratio() * 100.0,
        recall.wrong.len(),
        began.elapsed().as_secs_f64(),
        recall.by_encoding
    );
}

/// Files below some folders.
fn files(path: &Path, found: &mut Vec<PathBuf>) {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return;
    };
    if metadata.is_file() {
        found.push(path.to_owned());
    } else if metadata.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(path).into_iter().flatten().flatten().collect();
        entries.sort_by_key(fs::DirEntry::path);
        for entry in entries {
            files(&entry.path(), found);
        }
    }
}

fn real(paths: &[&str]) {
    let mut all = Vec::new();
    for path in paths {
        files(Path::new(path), &mut all);
    }
    let (mut bytes, mut pairs, mut ids, mut secrets) = (0, 0, 0, 0);
    let began = Instant::now();
    for path in &all {
        let Ok(file) = File::open(path) else { continue };
        bytes += file.metadata().map_or(0, |one| one.len());
        let mut found = Found::default();
        // What cannot be unpacked ends a file.
        scan_input(
            "",
            InputBytes::Seekable(Box::new(file)),
            SecretLengths::default(),
            false,
            &mut found,
        )
        .ok();
        pairs += usize::from(!found.ids.is_empty() && !found.secrets.is_empty());
        ids += found.ids.len();
        secrets += found.secrets.len();
        for text in found.ids.iter().chain(&found.secrets) {
            println!("{}: {text}", path.display());
        }
    }
    println!(
        "{} files, {:.0} MB in {:.1} s: {pairs} files with a pair, {ids} ids, {secrets} secrets",
        all.len(),
        bytes as f64 / 1e6,
        began.elapsed().as_secs_f64()
    );
}

fn speed(path: &Path) {
    let began = Instant::now();
    let file = File::open(path).expect("the file opens");
    let bytes = file.metadata().map_or(0, |one| one.len());
    let mut found = Found::default();
    scan_input(
        "",
        InputBytes::Seekable(Box::new(file)),
        SecretLengths::default(),
        false,
        &mut found,
    )
    .ok();
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{:.0} MB in {seconds:.2} s, {:.0} MB/s",
        bytes as f64 / 1e6,
        bytes as f64 / 1e6 / seconds
    );
}

fn write(folder: &Path) {
    let mut random = Random(0x5eed);
    let mut listed = String::new();
    for (carrier, template) in CARRIERS {
        for (encoding, encode) in ENCODINGS {
            for (position, place) in POSITIONS {
                let pair = random.pair();
                random.below(100);
                let name = format!("{carrier}.{encoding}.{position}");
                let text = place(&fill(template, &pair.id, &pair.secret));
                fs::write(folder.join(&name), encode(&text)).expect("the folder can be written to");
                listed.push_str(&format!("{name}\t{}\t{}\n", pair.id, pair.secret));
            }
        }
    }
    fs::write(folder.join("expected.tsv"), listed).expect("the folder can be written to");
}
