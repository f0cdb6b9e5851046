//! `akgate reports import`: one thread reads, the database takes batches meanwhile.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufWriter, Read, Write},
    path::PathBuf,
    time::Instant,
};

use akgate_state::database::Pool;
use indicatif::ProgressBar;
use serde::Serialize;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::impact;
use crate::{
    command::{
        CommandExit,
        enforced::EnforcementWait,
        import::{RejectedLines, hand_over, open_input, print_rate, read_ahead, show_rate},
        named_values::one_of,
        node::NodeFault,
        settings::ConfigArgs,
    },
    config::Config,
    serve::{
        open_database, open_key_ring,
        sources::{secret_lengths, suspicion_settings},
    },
};
use akgate_intake::report_file::{Detected, OpenedReport, ReportEntry, ReportFormat};
use akgate_net::private_file::create_private_file;
use akgate_rules::{leak::Proof, lineage::DescendantPolicy, position::Position};
use akgate_scan::SecretLengths;
use akgate_state::{
    audit::Actor,
    clock::{Clock, SystemClock},
    directory::{StateFault, import::InvalidLine, sealing::KeyRing},
    leaks::{
        deliveries::{self, DeliveryOrigin},
        record::{
            Delivery, LeakReport, RecordedReport, RedactedReports, ReportGrounds, SuspicionPolicy,
            WouldRestrict, dry_run_reports, record_redacted, redact_secrets,
        },
    },
    live::barrier::LostChange,
};

/// Reports in one transaction: a leak that arrives meanwhile waits for one at most.
const BATCH_REPORTS: usize = 5_000;

/// What the reading thread produces.
enum ReaderMessage {
    Format(ReportFormat),
    Reports(Vec<LeakReport>, usize),
    Bad(InvalidLine, Vec<u8>),
}

/// The result of an import.
#[derive(Default, Serialize)]
struct ImportOutcome {
    /// The detected or given format.
    source: String,
    /// The delivery, by which the import can be undone; `None` for a dry run.
    delivery_id: Option<Uuid>,
    /// Entries that were read.
    read: usize,
    /// Entries with an AccessKey.
    findings: usize,
    /// Findings that a secret proves.
    proven: usize,
    /// Findings without proof, kept as suspicions.
    suspected: usize,
    /// Findings that were recorded before.
    known: usize,
    /// Those of them whose restriction is lifted: nothing is restricted by them.
    lifted: usize,
    /// AccessKeys that this import restricted.
    restricted: usize,
    /// Entries that could not be read.
    rejected: RejectedLines,
    /// Where what was restricted is enforced; `None` where nothing was.
    enforced: Option<String>,
    /// The expected impact, for a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    impact: Option<impact::Impact>,
    #[serde(skip)]
    would_restrict: BTreeSet<WouldRestrict>,
}

impl ImportOutcome {
    fn add(&mut self, recorded: &[Option<RecordedReport>]) {
        for one in recorded.iter().flatten() {
            self.findings += 1;
            self.lifted += usize::from(one.lifted.is_some());
            match one.proof {
                _ if !one.is_new => self.known += 1,
                Proof::Suspected => self.suspected += 1,
                Proof::Secret | Proof::IdAndSecret | Proof::Decided => self.proven += 1,
            }
        }
    }
}

/// What `akgate reports import` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct ImportArgs {
    /// The file, or - for standard input
    file: PathBuf,
    /// The file's format, if it cannot be detected
    #[arg(long, value_parser = one_of::<ReportFormat>(&ReportFormat::NAMES))]
    format: Option<ReportFormat>,
    /// The source of the reports; by default, the scanner
    #[arg(long, value_name = "NAME", value_parser = parse_source)]
    source: Option<String>,
    /// Show what would be restricted, and which calls of the last 7 days would have been refused; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Add the reports to this delivery, to resume an interrupted import
    #[arg(long, value_name = "ID", conflicts_with = "dry_run")]
    delivery: Option<Uuid>,
    /// Write the entries that could not be read to this file
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Configuration
    #[command(flatten)]
    pub(super) settings: ConfigArgs,
}

fn parse_source(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 64 letters, digits, dots, hyphens and underscores".to_owned())
    }
}

pub(super) async fn run_import(
    config: &Config,
    args: &ImportArgs,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<CommandExit, NodeFault> {
    let ImportArgs {
        file,
        rejects,
        json,
        dry_run,
        ..
    } = args;
    let (bar, input) = open_input(file)?;
    let mut rejected = match rejects {
        Some(path) => {
            let file = create_private_file(path).map_err(NodeFault::file(path))?;
            Some(BufWriter::new(file))
        }
        None => None,
    };
    let pool = open_database(config).await?;
    let ring = open_key_ring(config, &pool).await?;
    let began = Instant::now();
    let mut outcome = ImportOutcome::default();
    let import = ReportImport {
        pool: &pool,
        ring: &ring,
        args,
        suspicions: suspicion_settings(&config.sections),
        descendants: config.sections.policy.descendants,
        lengths: secret_lengths(&config.sections),
        enforcing: EnforcementWait::new(&pool, config),
    };
    let taken = import.take(input, &bar, &mut outcome, &mut rejected).await;
    bar.finish_and_clear();
    let told = match (&taken, *dry_run) {
        (Ok(()), true) => {
            Some(impact::measure_impact(&pool, &outcome.would_restrict, config).await?)
        }
        _ => None,
    };
    outcome.impact = told;
    pool.close().await;
    if let Some(rejected) = &mut rejected {
        rejected.flush()?;
    }
    outcome.rejected.print(err)?;
    if let Err(fault) = taken {
        if let Some(delivery) = outcome.delivery_id {
            writeln!(
                err,
                "{} findings are recorded. To resume, repeat the command with --delivery {delivery}",
                outcome.findings
            )?;
        }
        return Err(fault);
    }
    print_rate(outcome.read as u64, began, outcome.enforced.as_deref(), err)?;
    if *json {
        serde_json::to_writer_pretty(&mut *out, &outcome).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        print_outcome(&outcome, out)?;
    }
    if outcome.lifted > 0 {
        writeln!(
            err,
            "{} findings restrict nothing: they were recorded before, and their restrictions are lifted. Findings of another \
             source (--source) or place count as new.",
            outcome.lifted
        )?;
        return Ok(CommandExit::Partial);
    }
    Ok(outcome.rejected.exit())
}

fn print_outcome(outcome: &ImportOutcome, out: &mut impl Write) -> std::io::Result<()> {
    let ImportOutcome {
        proven,
        suspected,
        known,
        restricted,
        rejected: RejectedLines {
            count: rejected, ..
        },
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
    match outcome.delivery_id {
        Some(delivery) if *restricted == 0 => {
            writeln!(out, "0 AccessKeys restricted. Delivery {delivery}")
        }
        Some(delivery) => writeln!(
            out,
            "{restricted} AccessKeys restricted. To undo: akgate reports undo {delivery} --reason TEXT"
        ),
        None => Ok(()),
    }
}

/// An import and what it depends on.
struct ReportImport<'a> {
    pool: &'a Pool,
    ring: &'a KeyRing,
    args: &'a ImportArgs,
    suspicions: SuspicionPolicy,
    descendants: DescendantPolicy,
    lengths: SecretLengths,
    enforcing: EnforcementWait,
}

impl ReportImport<'_> {
    /// Imports a file to its end. The next batch is read and prepared while the database records the current one.
    async fn take(
        &self,
        input: Box<dyn Read + Send>,
        bar: &ProgressBar,
        outcome: &mut ImportOutcome,
        rejected: &mut Option<BufWriter<File>>,
    ) -> Result<(), NodeFault> {
        let ImportArgs {
            format,
            source,
            delivery,
            dry_run,
            ..
        } = self.args;
        let (format, lengths) = (*format, self.lengths);
        let (mut pieces, reader) =
            read_ahead(move |sender| read_entries(format, lengths, input, sender));
        let Some(ReaderMessage::Format(format)) = pieces.recv().await else {
            return reader.await;
        };
        let name = source.clone().unwrap_or_else(|| format.source().to_owned());
        let (name, id) = match dry_run {
            true => (name, None),
            false => resolve_delivery(self.pool, *delivery, source.as_deref(), name).await?,
        };
        outcome.source.clone_from(&name);
        outcome.delivery_id = id;
        let actor = Actor::Source(name.clone());
        let delivery = Delivery {
            source: &name,
            actor: &actor,
            grounds: ReportGrounds::Proof,
            suspicions: self.suspicions,
            descendants: self.descendants,
            ledger: id.map(DeliveryOrigin::Existing),
        };
        let mut restricted = None;
        let mut upcoming = self.next(&name, &mut pieces, outcome, rejected).await?;
        while let Some((redacted, read)) = upcoming {
            // The nodes follow a batch while the next one is recorded.
            let (recorded, next, enforced) = tokio::join!(
                self.keep(&delivery, &redacted),
                self.next(&name, &mut pieces, outcome, rejected),
                self.enforced(restricted),
            );
            let (recorded, would_restrict) = recorded?;
            outcome.enforced = enforced?.or(outcome.enforced.take());
            restricted = id.and_then(|_| last_position(&recorded));
            outcome.would_restrict.extend(would_restrict);
            outcome.add(&recorded);
            outcome.restricted += count_new_restrictions(&recorded);
            outcome.read += read;
            show_rate(bar, outcome.read, "findings");
            upcoming = next?;
        }
        let enforced = self.enforced(restricted).await?;
        outcome.enforced = enforced.or(outcome.enforced.take());
        reader.await
    }

    /// Waits until what a batch has restricted is enforced; returns a line for people.
    async fn enforced(&self, committed: Option<Position>) -> Result<Option<String>, LostChange> {
        match committed {
            Some(committed) => Ok(Some(self.enforcing.wait(committed).await?)),
            None => Ok(None),
        }
    }

    /// Records a batch, or computes its impact for a dry run.
    async fn keep(
        &self,
        delivery: &Delivery<'_>,
        redacted: &RedactedReports,
    ) -> Result<(Vec<Option<RecordedReport>>, Vec<WouldRestrict>), StateFault> {
        let now = SystemClock.now();
        match delivery.ledger {
            Some(_) => {
                let recorded = record_redacted(self.pool, delivery, redacted, now).await?;
                Ok((recorded, Vec::new()))
            }
            None => dry_run_reports(self.pool, delivery, redacted, now).await,
        }
    }

    /// The next batch, ready to be recorded, and the number of entries read for it; `None` at the end. Counts
    /// unreadable entries.
    async fn next(
        &self,
        source: &str,
        pieces: &mut mpsc::Receiver<ReaderMessage>,
        outcome: &mut ImportOutcome,
        rejected: &mut Option<BufWriter<File>>,
    ) -> Result<Option<(RedactedReports, usize)>, NodeFault> {
        while let Some(handed) = pieces.recv().await {
            match handed {
                ReaderMessage::Format(_) => {}
                ReaderMessage::Bad(bad, text) => {
                    outcome.read += 1;
                    if let Some(file) = rejected {
                        file.write_all(&text)?;
                        file.write_all(b"\n")?;
                    }
                    outcome.rejected.add(bad);
                }
                ReaderMessage::Reports(reports, read) => {
                    let redacted = redact_secrets(self.pool, self.ring, source, &reports).await;
                    return Ok(Some((redacted, read)));
                }
            }
        }
        Ok(None)
    }
}

/// The position of the change with which a batch restricted keys, if it did.
fn last_position(recorded: &[Option<RecordedReport>]) -> Option<Position> {
    let imposed = recorded.iter().flatten().filter(|one| one.is_imposed);
    let positions = imposed.filter_map(|one| Some(one.restriction?.position));
    positions.max_by_key(|position| position.revision)
}

/// How many restrictions a batch has imposed.
fn count_new_restrictions(recorded: &[Option<RecordedReport>]) -> usize {
    let imposed: BTreeSet<Uuid> = recorded
        .iter()
        .flatten()
        .filter(|one| one.is_imposed)
        .filter_map(|one| one.restriction)
        .map(|one| one.restriction_id)
        .collect();
    imposed.len()
}

/// The delivery that the reports belong to, and its source.
async fn resolve_delivery(
    pool: &Pool,
    delivery: Option<Uuid>,
    given: Option<&str>,
    source: String,
) -> Result<(String, Option<Uuid>), NodeFault> {
    let now = SystemClock.now();
    let Some(id) = delivery else {
        let by = Actor::Source(source.clone());
        let id = deliveries::begin_delivery(pool, &source, &by, now).await?;
        return Ok((source, Some(id)));
    };
    let name = deliveries::resume_delivery(pool, id, now)
        .await?
        .ok_or_else(|| {
            NodeFault::Usage(format!(
                "delivery {id} does not exist, was not begun by an import, or was undone"
            ))
        })?;
    if given.is_some_and(|given| given != name) {
        return Err(NodeFault::Usage(format!(
            "delivery {id} is from the source \"{name}\": pass --source {name}, or omit --source"
        )));
    }
    Ok((name, Some(id)))
}

/// Reads the file to its end.
fn read_entries(
    format: Option<ReportFormat>,
    lengths: SecretLengths,
    input: Box<dyn Read + Send>,
    sender: &mpsc::Sender<ReaderMessage>,
) -> Result<(), NodeFault> {
    let opened = OpenedReport::new(input)?;
    let format = match (format, opened.detected) {
        (Some(given), _) => given,
        (None, Detected::Format(detected)) => detected,
        (None, Detected::WithoutSecrets(why)) => return Err(NodeFault::Usage(why.to_owned())),
        (None, Detected::Unknown) => {
            let formats = ReportFormat::NAMES.join(", ");
            return Err(NodeFault::Usage(format!(
                "cannot detect the format: pass --format, one of {formats}; or search the file with `akgate scan FILE \
                 --report`"
            )));
        }
    };
    hand_over(sender, ReaderMessage::Format(format))?;
    let (mut reports, mut count) = (Vec::with_capacity(BATCH_REPORTS), 0);
    for piece in format.entries(opened.input, lengths) {
        let message = match piece {
            ReportEntry::Reports(more) => {
                count += 1;
                reports.extend(more);
                if reports.len() < BATCH_REPORTS && count < 4 * BATCH_REPORTS {
                    continue;
                }
                ReaderMessage::Reports(std::mem::take(&mut reports), std::mem::take(&mut count))
            }
            ReportEntry::Rejected { bad, text } => ReaderMessage::Bad(bad, text),
        };
        hand_over(sender, message)?;
    }
    hand_over(sender, ReaderMessage::Reports(reports, count))
}
