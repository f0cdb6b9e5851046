//! `akgate scan`: finds AccessKeys in a folder, a git history or any text, for a person or for `akgate reports import`.

mod finding;
mod walk;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use self::{
    finding::{FindingPrinter, ScanTally},
    walk::{WalkSettings, scan_path, scan_standard_input},
};
use super::CommandExit;
use akgate_scan::SecretLengths;

/// Find AccessKeys in a folder, a file or standard input
///
/// Searches for AccessKeyIds (LTAI…, STS.…), and for secrets that are named so or stand in one file with an id, in texts
/// of any encoding, in binary files and in archives (zip, jar, gz, tar). Standard input can be the output of `git log
/// -p`: the commit and file of each finding are then shown. No network access is needed, and secrets are not printed.
/// Exit status 1 if something was found, 3 if something could not be searched. To prove and report findings: `akgate
/// scan PATH --report | akgate reports import -`.
#[derive(Debug, clap::Args)]
pub struct ScanArgs {
    /// The folder or file, or - for standard input
    path: PathBuf,
    /// Print one JSON object per finding, for `akgate reports import`: THIS INCLUDES THE SECRETS
    #[arg(long)]
    report: bool,
    /// Also read what links in the folder lead to, outside of it
    #[arg(long)]
    follow_links: bool,
    /// Also look for secrets of this many characters; repeatable. Secrets have 30
    #[arg(long, value_name = "CHARACTERS", value_parser = parse_length)]
    secret_length: Vec<usize>,
    /// Name everything that was not searched
    #[arg(short, long)]
    verbose: bool,
}

fn parse_length(text: &str) -> Result<usize, String> {
    let length = text.parse().ok();
    length
        .filter(|length| SecretLengths::CONFIGURABLE.contains(length))
        .ok_or_else(|| {
            let (first, last) = SecretLengths::CONFIGURABLE.into_inner();
            format!("must be {first} to {last}")
        })
}

/// Runs the command. Exit status 0 if nothing was found, 1 if something was, 3 if some of the input was not searched.
///
/// # Errors
/// An output cannot be written to.
pub fn run_scan(
    args: &ScanArgs,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    let settings = WalkSettings {
        lengths: SecretLengths::with(args.secret_length.iter().copied()),
        follow_links: args.follow_links,
    };
    let mut printer = FindingPrinter {
        report: args.report,
        verbose: args.verbose,
        tally: ScanTally::default(),
        out: &mut *out,
        err: &mut *err,
    };
    let scanned = if args.path == Path::new("-") {
        scan_standard_input(&settings, &mut printer)
    } else {
        scan_path(&args.path, &settings, &mut printer)
    };
    if let Err(fault) = scanned? {
        writeln!(printer.err, "error: {fault}")?;
        return Ok(CommandExit::Failed);
    }
    let ScanTally {
        files,
        findings,
        unread,
        skipped,
        repositories,
    } = printer.tally;
    if repositories > 0 {
        writeln!(
            err,
            "{repositories} git repositories: search their history with git log -p --all | akgate scan -"
        )?;
    }
    let names = if args.verbose || skipped == 0 {
        ""
    } else {
        " (-v names them)"
    };
    writeln!(
        err,
        "{findings} found in {files} files; {unread} could not be read, {skipped} not searched{names}"
    )?;
    Ok(match (unread + skipped, findings) {
        (1.., _) => CommandExit::Partial,
        (0, 1..) if !args.report => CommandExit::Failed,
        (0, _) => CommandExit::Ok,
    })
}
