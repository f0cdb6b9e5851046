//! `akgate reports import`: one thread reads, the database takes batches meanwhile.

use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::{BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use crate::command::input::one_of;
use akgate_state::database::Pool;
use indicatif::ProgressBar;
use serde::Serialize;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{Exit, ReportsError, impact};
use crate::{
    command::{
        enforced::Enforcing,
        input::{open, show_rate},
        settings::Settings,
    },
    config::Config,
    serve::{open_database, sources::suspicions},
};
use akgate_intake::report_file::{Format, Piece};
use akgate_rules::{leak::Proof, position::Position};
use akgate_state::{
    audit::Actor,
    clock::{Clock, SystemClock},
    directory::{StateFault, import::BadLine, sealing::KeyRing},
    leaks::{
        deliveries::{self, Ledger},
        record::{
            Delivery, Discreet, Grounds, LeakReport, Recorded, Struck, Suspicions, discreet,
            record_discreet, rehearse,
        },
    },
    live::barrier::Lost,
};

/// Reports in one transaction: a leak that arrives meanwhile waits for one at most.
const BATCH: usize = 5_000;

/// Batches that may wait for the database.
const AHEAD: usize = 2;

/// What cannot be read and is told one by one.
const SHOWN: usize = 20;

/// What the reader hands over.
enum Handed {
    Format(Format),
    Reports(Vec<LeakReport>, usize),
    Bad(BadLine, Vec<u8>),
}

/// What came of a file.
#[derive(Default, Serialize)]
struct Outcome {
    /// What it was taken as.
    source: String,
    /// By which it can be undone; `None` of a rehearsal.
    batch: Option<Uuid>,
    /// Pieces that were read.
    read: usize,
    /// Findings of AccessKeys among them.
    findings: usize,
    /// Findings that a secret proves.
    proven: usize,
    /// Findings that prove nothing: kept.
    suspected: usize,
    /// Findings that were recorded before.
    known: usize,
    /// AccessKeys that are restricted for it now and were not before.
    restricted: usize,
    /// Pieces that could not be read.
    rejected: usize,
    /// Where what was restricted is enforced; `None` where nothing was.
    enforced: Option<String>,
    /// What a rehearsal tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    impact: Option<impact::Impact>,
    #[serde(skip)]
    struck: BTreeSet<Struck>,
    #[serde(skip)]
    shown: Vec<BadLine>,
}

impl Outcome {
    fn add(&mut self, recorded: &[Option<Recorded>]) {
        for one in recorded.iter().flatten() {
            self.findings += 1;
            match one.proof {
                _ if !one.is_new => self.known += 1,
                Proof::Suspected => self.suspected += 1,
                Proof::Secret | Proof::Pair | Proof::Decided => self.proven += 1,
            }
        }
    }
}

/// What `akgate reports import` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The file, or - for standard input
    file: PathBuf,
    /// The file's format, if it cannot be detected
    #[arg(long, value_parser = one_of::<Format>(&Format::NAMES))]
    format: Option<Format>,
    /// The source of the reports; by default, the scanner
    #[arg(long, value_name = "NAME", value_parser = source)]
    source: Option<String>,
    /// Show what would be restricted, and which calls of the last 7 days would have been refused; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Add the reports to this delivery, to resume an interrupted import
    #[arg(long, value_name = "ID", conflicts_with = "dry_run")]
    batch: Option<Uuid>,
    /// Write the entries that could not be read to this file
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Configuration
    #[command(flatten)]
    pub(super) settings: Settings,
}

fn source(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 64 letters, digits, dots, hyphens and underscores".to_owned())
    }
}

pub(super) async fn run(
    config: &Config,
    args: &Args,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<Exit, ReportsError> {
    let Args {
        file,
        rejects,
        json,
        dry_run,
        ..
    } = args;
    let at = |path: &Path, fault| ReportsError::File {
        path: path.display().to_string(),
        fault,
    };
    let (bar, input) = open(file).map_err(|fault| at(file, fault))?;
    let mut rejected = match rejects {
        Some(path) => Some(BufWriter::new(
            private(path).map_err(|fault| at(path, fault))?,
        )),
        None => None,
    };
    let pool = open_database(config).await?;
    let ring = KeyRing::parse(config.key_ring.expose())?;
    let began = Instant::now();
    let mut outcome = Outcome::default();
    let import = Import {
        pool: &pool,
        ring: &ring,
        args,
        suspicions: suspicions(&config.sections),
        enforcing: Enforcing::new(&pool, config),
    };
    let taken = import.take(input, &bar, &mut outcome, &mut rejected).await;
    bar.finish_and_clear();
    let told = match (&taken, *dry_run) {
        (Ok(()), true) => Some(impact::of(&pool, &outcome.struck, config).await?),
        _ => None,
    };
    outcome.impact = told;
    pool.close().await;
    if let Some(rejected) = &mut rejected {
        rejected.flush()?;
    }
    for bad in &outcome.shown {
        writeln!(err, "{bad}")?;
    }
    if outcome.rejected > outcome.shown.len() {
        writeln!(err, "… and {} more", outcome.rejected - outcome.shown.len())?;
    }
    if let Err(fault) = taken {
        if let Some(batch) = outcome.batch {
            writeln!(
                err,
                "{} findings are recorded. To resume, repeat the command with --batch {batch}",
                outcome.findings
            )?;
        }
        return Err(fault);
    }
    let seconds = began.elapsed().as_secs_f64();
    writeln!(
        err,
        "{} in {seconds:.1} s, {:.0} per second",
        outcome.read,
        outcome.read as f64 / seconds
    )?;
    if let Some(enforced) = &outcome.enforced {
        writeln!(err, "{enforced}")?;
    }
    if *json {
        serde_json::to_writer_pretty(&mut *out, &outcome).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        tell(&outcome, out)?;
    }
    Ok(match outcome.rejected {
        0 => Exit::Ok,
        _ => Exit::Partial,
    })
}

fn tell(outcome: &Outcome, out: &mut impl Write) -> std::io::Result<()> {
    let Outcome {
        proven,
        suspected,
        known,
        restricted,
        rejected,
        ..
    } = outcome;
    if let Some(impact) = &outcome.impact {
        writeln!(out, "Dry run: nothing was changed.")?;
        impact.tell(out)?;
    }
    writeln!(
        out,
        "{proven} proven, {suspected} suspected, {known} already recorded, {rejected} unreadable"
    )?;
    match outcome.batch {
        Some(batch) if *restricted == 0 => {
            writeln!(out, "0 AccessKeys restricted. Delivery {batch}")
        }
        Some(batch) => writeln!(
            out,
            "{restricted} AccessKeys restricted. To undo: POST /admin/v1/deliveries/{batch}:undo"
        ),
        None => Ok(()),
    }
}

/// A file that nobody else reads: what could not be read may hold secrets.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// An import, on what it stands.
struct Import<'a> {
    pool: &'a Pool,
    ring: &'a KeyRing,
    args: &'a Args,
    suspicions: Suspicions,
    enforcing: Enforcing,
}

impl Import<'_> {
    /// Takes a file to its end. While the database has a batch, the next one is read and made ready.
    async fn take(
        &self,
        input: Box<dyn Read + Send>,
        bar: &ProgressBar,
        outcome: &mut Outcome,
        rejected: &mut Option<BufWriter<File>>,
    ) -> Result<(), ReportsError> {
        let Args {
            format,
            source,
            batch,
            dry_run,
            ..
        } = self.args;
        let (give, mut pieces) = mpsc::channel(AHEAD);
        let format = *format;
        let reader = tokio::task::spawn_blocking(move || read(format, input, &give));
        let Some(Handed::Format(format)) = pieces.recv().await else {
            return reader.await.map_err(|_| ReportsError::Reader)?;
        };
        let name = source.clone().unwrap_or_else(|| format.source().to_owned());
        let (name, id) = match dry_run {
            true => (name, None),
            false => batch_of(self.pool, *batch, source.as_deref(), name).await?,
        };
        outcome.source.clone_from(&name);
        outcome.batch = id;
        let actor = Actor::Source(name.clone());
        let delivery = Delivery {
            source: &name,
            actor: &actor,
            grounds: Grounds::Proof,
            suspicions: self.suspicions,
            ledger: id.map(Ledger::Batch),
        };
        let mut restricted = None;
        let mut upcoming = self.next(&name, &mut pieces, outcome, rejected).await?;
        while let Some((discreet, read)) = upcoming {
            // The nodes follow a batch while the next one is recorded.
            let (recorded, next, enforced) = tokio::join!(
                self.keep(&delivery, &discreet),
                self.next(&name, &mut pieces, outcome, rejected),
                self.enforced(restricted),
            );
            let (recorded, struck) = recorded?;
            outcome.enforced = enforced?.or(outcome.enforced.take());
            restricted = id.and_then(|_| committed(&recorded));
            outcome.struck.extend(struck);
            outcome.add(&recorded);
            outcome.restricted += recorded_anew(&recorded);
            outcome.read += read;
            show_rate(bar, outcome.read, "findings");
            upcoming = next?;
        }
        let enforced = self.enforced(restricted).await?;
        outcome.enforced = enforced.or(outcome.enforced.take());
        reader.await.map_err(|_| ReportsError::Reader)?
    }

    /// Waits until what a batch has restricted is enforced; gives a line for people.
    async fn enforced(&self, committed: Option<Position>) -> Result<Option<String>, Lost> {
        match committed {
            Some(committed) => Ok(Some(self.enforcing.wait(committed).await?)),
            None => Ok(None),
        }
    }

    /// Records a batch, or rehearses it.
    async fn keep(
        &self,
        delivery: &Delivery<'_>,
        discreet: &Discreet,
    ) -> Result<(Vec<Option<Recorded>>, Vec<Struck>), StateFault> {
        let now = SystemClock.now();
        match delivery.ledger {
            Some(_) => {
                let recorded = record_discreet(self.pool, delivery, discreet, now).await?;
                Ok((recorded, Vec::new()))
            }
            None => rehearse(self.pool, delivery, discreet, now).await,
        }
    }

    /// The next batch, ready to be recorded, and how many pieces were read for it; `None` at the end. Notes what cannot
    /// be read on the way.
    async fn next(
        &self,
        source: &str,
        pieces: &mut mpsc::Receiver<Handed>,
        outcome: &mut Outcome,
        rejected: &mut Option<BufWriter<File>>,
    ) -> Result<Option<(Discreet, usize)>, ReportsError> {
        while let Some(handed) = pieces.recv().await {
            match handed {
                Handed::Format(_) => {}
                Handed::Bad(bad, text) => {
                    outcome.read += 1;
                    outcome.rejected += 1;
                    if let Some(file) = rejected {
                        file.write_all(&text)?;
                        file.write_all(b"\n")?;
                    }
                    if outcome.shown.len() < SHOWN {
                        outcome.shown.push(bad);
                    }
                }
                Handed::Reports(reports, read) => {
                    let discreet = discreet(self.pool, self.ring, source, &reports).await;
                    return Ok(Some((discreet, read)));
                }
            }
        }
        Ok(None)
    }
}

/// The change that a batch has restricted with, if it has.
fn committed(recorded: &[Option<Recorded>]) -> Option<Position> {
    let imposed = recorded.iter().flatten().filter(|one| one.is_imposed);
    let positions = imposed.filter_map(|one| Some(one.restriction?.position));
    positions.max_by_key(|position| position.revision)
}

/// How many restrictions a batch has imposed.
fn recorded_anew(recorded: &[Option<Recorded>]) -> usize {
    let imposed: BTreeSet<Uuid> = recorded
        .iter()
        .flatten()
        .filter(|one| one.is_imposed)
        .filter_map(|one| one.restriction)
        .map(|one| one.restriction_id)
        .collect();
    imposed.len()
}

/// The batch that the reports belong to, and its source.
async fn batch_of(
    pool: &Pool,
    batch: Option<Uuid>,
    given: Option<&str>,
    source: String,
) -> Result<(String, Option<Uuid>), ReportsError> {
    let now = SystemClock.now();
    let Some(id) = batch else {
        let by = Actor::Source(source.clone());
        let id = deliveries::begin(pool, &source, &by, now).await?;
        return Ok((source, Some(id)));
    };
    let name = deliveries::go_on(pool, id, now)
        .await?
        .ok_or(ReportsError::NoBatch(id))?;
    if given.is_some_and(|given| given != name) {
        return Err(ReportsError::OtherSource(id, name));
    }
    Ok((name, Some(id)))
}

/// Reads the file to its end, or until nobody takes any more: the database has failed then, and says so itself.
fn read(
    format: Option<Format>,
    input: Box<dyn Read + Send>,
    give: &mpsc::Sender<Handed>,
) -> Result<(), ReportsError> {
    let (detected, input) = Format::detect(BufReader::with_capacity(1 << 20, input))?;
    let format = format.or(detected).ok_or(ReportsError::Format)?;
    if give.blocking_send(Handed::Format(format)).is_err() {
        return Ok(());
    }
    let (mut reports, mut count) = (Vec::with_capacity(BATCH), 0);
    for piece in format.pieces(input) {
        let handed = match piece {
            Piece::Reports(more) => {
                count += 1;
                reports.extend(more);
                if reports.len() < BATCH && count < 4 * BATCH {
                    continue;
                }
                Handed::Reports(std::mem::take(&mut reports), std::mem::take(&mut count))
            }
            Piece::Rejected { bad, text } => Handed::Bad(bad, text),
        };
        if give.blocking_send(handed).is_err() {
            return Ok(());
        }
    }
    give.blocking_send(Handed::Reports(reports, count)).ok();
    Ok(())
}
