//! `akgate scan`: finds AccessKeys in a folder, a git history or any text, for a person or for `akgate reports import`.

pub mod text;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use walkdir::WalkDir;

use self::text::{ScanFinding, Scanner};
use super::CommandExit;
use akgate_rules::credentials::Credential;

/// Find AccessKeys in a folder, a file or standard input
///
/// Searches for AccessKeyIds (LTAI…, STS.…) and for secrets that are near one or in a variable with a telling name.
/// Standard input can be the output of `git log -p`: the commit and file of each finding are then shown. No network
/// access is needed, and secrets are not printed. Exit status 1 if something was found. To prove and report findings:
/// `akgate scan PATH --report | akgate reports import -`.
#[derive(Debug, clap::Args)]
pub struct ScanArgs {
    /// The folder or file, or - for standard input
    path: PathBuf,
    /// Print one JSON object per finding, for `akgate reports import`: THIS INCLUDES THE SECRETS
    #[arg(long)]
    report: bool,
}

/// The output for an import.
#[derive(Serialize)]
struct ReportLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'a str>,
    path: &'a str,
}

/// What was searched and found.
#[derive(Default)]
struct ScanTally {
    files: u64,
    findings: u64,
    unread: u64,
}

/// Runs the command. Exit status 0 if nothing was found, 1 if something was, 3 if some of the input could not be read.
///
/// # Errors
/// An output cannot be written to.
pub fn run_scan(
    args: &ScanArgs,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    let mut tally = ScanTally::default();
    if args.path == Path::new("-") {
        tally.files = 1;
        let scanned = scan_input("-", io::stdin().lock(), args.report, &mut tally, out)?;
        if let Err(fault) = scanned {
            writeln!(err, "error: standard input: {fault}")?;
            return Ok(CommandExit::Failed);
        }
    } else {
        let is_git = |entry: &walkdir::DirEntry| entry.depth() > 0 && entry.file_name() == ".git";
        let walk = WalkDir::new(&args.path).sort_by_file_name();
        for entry in walk.into_iter().filter_entry(|entry| !is_git(entry)) {
            let entry = match entry {
                Ok(entry) if entry.file_type().is_file() => entry,
                Ok(_) => continue,
                Err(fault) if fault.depth() == 0 => {
                    writeln!(err, "error: {fault}")?;
                    return Ok(CommandExit::Failed);
                }
                Err(fault) => {
                    tally.unread += 1;
                    writeln!(err, "{fault}")?;
                    continue;
                }
            };
            tally.files += 1;
            let name = entry.path().display().to_string();
            let scanned = match File::open(entry.path()) {
                Ok(file) => scan_input(&name, BufReader::new(file), args.report, &mut tally, out)?,
                Err(fault) => Err(fault),
            };
            if let Err(fault) = scanned {
                tally.unread += 1;
                writeln!(err, "{name}: {fault}")?;
            }
        }
    }
    let ScanTally {
        files,
        findings,
        unread,
    } = tally;
    writeln!(
        err,
        "{findings} found in {files} files; {unread} could not be read"
    )?;
    Ok(match (unread, findings) {
        (1.., _) => CommandExit::Partial,
        (0, 1..) if !args.report => CommandExit::Failed,
        (0, _) => CommandExit::Ok,
    })
}

/// Scans one input; the outer fault is that of the output, the inner that of the input.
fn scan_input(
    name: &str,
    input: impl BufRead,
    report: bool,
    tally: &mut ScanTally,
    out: &mut impl Write,
) -> io::Result<io::Result<()>> {
    for finding in Scanner::new(name, input) {
        let finding = match finding {
            Ok(finding) => finding,
            Err(fault) => return Ok(Err(fault)),
        };
        tally.findings += 1;
        print_finding(&finding, report, out)?;
    }
    Ok(Ok(()))
}

fn print_finding(finding: &ScanFinding, report: bool, out: &mut impl Write) -> io::Result<()> {
    let (id, secret) = match &finding.credential {
        Credential::Id(id) => (Some(id), None),
        Credential::Secret(secret) => (None, Some(secret)),
    };
    if report {
        let reported = ReportLine {
            access_key_id: id.map(akgate_rules::access_key::AccessKeyId::as_str),
            access_key_secret: secret.map(akgate_rules::access_key::AccessKeySecret::expose),
            commit: finding.commit.as_deref(),
            path: &finding.path,
        };
        serde_json::to_writer(&mut *out, &reported)?;
        return writeln!(out);
    }
    let what = match id {
        Some(id) => format!("AccessKeyId {}", id.masked()),
        None => "AccessKeySecret ******".to_owned(),
    };
    let place = format!("{}:{}", finding.path, finding.line);
    match &finding.commit {
        Some(commit) => writeln!(out, "{place}: {what} (commit {commit})"),
        None => writeln!(out, "{place}: {what}"),
    }
}
