//! The files that are searched: one that was named, whatever it is; in a folder, everything that is a file.

use std::{
    fs::{self, File, FileType},
    io::{self, BufReader, Write},
    path::Path,
};

use akgate_scan::{InputBytes, InputFault, SecretLengths, scan_input};
use walkdir::{DirEntry, WalkDir};

use super::finding::FindingPrinter;

/// How files are chosen and searched.
pub(super) struct WalkSettings {
    pub lengths: SecretLengths,
    pub follow_links: bool,
}

/// Searches standard input; the inner fault is that of the input, the outer that of an output.
pub(super) fn scan_standard_input<O: Write, E: Write>(
    settings: &WalkSettings,
    printer: &mut FindingPrinter<'_, O, E>,
) -> io::Result<Result<(), String>> {
    let input = InputBytes::Stream(Box::new(io::stdin().lock()));
    printer.tally.files = 1;
    match scan_input("-", input, settings.lengths, true, printer) {
        Ok(()) => Ok(Ok(())),
        Err(InputFault::Sink(fault)) => Err(fault),
        Err(InputFault::Input(fault)) => Ok(Err(format!("standard input: {fault}"))),
    }
}

/// Searches a folder or a file that was named: links, pipes and devices are then read as well.
pub(super) fn scan_path<O: Write, E: Write>(
    path: &Path,
    settings: &WalkSettings,
    printer: &mut FindingPrinter<'_, O, E>,
) -> io::Result<Result<(), String>> {
    let named = match fs::metadata(path) {
        Ok(named) => named,
        Err(fault) => return Ok(Err(format!("{}: {fault}", path.display()))),
    };
    if !named.is_dir() {
        scan_file(path, settings, named.is_file(), printer)?;
        return Ok(Ok(()));
    }
    if path.join(".git").exists() {
        printer.tally.repositories += 1;
    }
    let root = path.canonicalize().ok();
    let walk = WalkDir::new(path)
        .follow_links(settings.follow_links)
        .sort_by_file_name();
    for entry in walk.into_iter().filter_entry(|entry| !is_git_store(entry)) {
        match entry {
            Ok(entry) => scan_entry(&entry, root.as_deref(), settings, printer)?,
            // A link to a folder that it is in: its files are read already.
            Err(fault) if fault.loop_ancestor().is_some() => {}
            Err(fault) if fault.depth() == 0 => return Ok(Err(fault.to_string())),
            Err(fault) if is_broken_link(&fault) => {}
            Err(fault) => printer.unread(&fault.to_string())?,
        }
    }
    Ok(Ok(()))
}

/// The objects of a git repository: compressed, so that nothing is found in them this way.
fn is_git_store(entry: &DirEntry) -> bool {
    let is_in_git = entry
        .path()
        .parent()
        .and_then(Path::file_name)
        .is_some_and(|folder| folder == ".git");
    is_in_git
        && matches!(
            entry.file_name().to_str(),
            Some("objects" | "lfs" | "index")
        )
}

/// A link to nothing: there is nothing to read.
fn is_broken_link(fault: &walkdir::Error) -> bool {
    let is_link = fault.path().is_some_and(Path::is_symlink);
    let kind = fault.io_error().map(io::Error::kind);
    is_link && kind == Some(io::ErrorKind::NotFound)
}

fn scan_entry<O: Write, E: Write>(
    entry: &DirEntry,
    root: Option<&Path>,
    settings: &WalkSettings,
    printer: &mut FindingPrinter<'_, O, E>,
) -> io::Result<()> {
    let kind: FileType = entry.file_type();
    if kind.is_file() {
        return scan_file(entry.path(), settings, true, printer);
    }
    if kind.is_dir() {
        if entry.depth() > 0 && entry.path().join(".git").exists() {
            printer.tally.repositories += 1;
        }
        return Ok(());
    }
    let name = entry.path().display().to_string();
    if !kind.is_symlink() {
        return printer.left_out(&name, "no file, but a pipe, socket or device");
    }
    match entry.path().canonicalize() {
        // Read where it stands.
        Ok(target) if root.is_some_and(|root| target.starts_with(root)) => Ok(()),
        Ok(_) => printer.left_out(&name, "a link to somewhere else: pass --follow-links"),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(fault) => printer.unread(&format!("{name}: {fault}")),
    }
}

fn scan_file<O: Write, E: Write>(
    path: &Path,
    settings: &WalkSettings,
    is_seekable: bool,
    printer: &mut FindingPrinter<'_, O, E>,
) -> io::Result<()> {
    printer.tally.files += 1;
    let name = path.display().to_string();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(fault) => return printer.unread(&format!("{name}: {fault}")),
    };
    let input = match is_seekable {
        true => InputBytes::Seekable(Box::new(BufReader::new(file))),
        false => InputBytes::Stream(Box::new(file)),
    };
    match scan_input(&name, input, settings.lengths, !is_seekable, printer) {
        Ok(()) => Ok(()),
        Err(InputFault::Sink(fault)) => Err(fault),
        Err(InputFault::Input(fault)) => printer.unread(&format!("{name}: {fault}")),
    }
}
