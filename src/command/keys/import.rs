//! `akgate keys import`: one thread reads and seals, the database takes batches meanwhile.

use std::{
    collections::BTreeMap,
    io::{BufReader, Read, Write},
    path::Path,
    time::Instant,
};

use akgate_state::database::Pool;
use indicatif::ProgressBar;

use crate::{
    command::{
        CommandExit,
        enforced::EnforcementWait,
        import::{RejectedLines, hand_over, open_input, print_rate, read_ahead, show_rate},
        node::NodeFault,
    },
    config::Config,
    serve::{open_database, open_key_ring, sources::secret_lengths},
};
use akgate_rules::position::Position;
use akgate_scan::SecretLengths;
use akgate_state::{
    clock::{Clock, SystemClock},
    directory::{
        StateFault,
        import::{FileFormat, InvalidLine, read_rows},
        sealing::KeyRing,
    },
    keys::import::{ImportChunk, ImportCounts, analyze_key_tables, import_keys},
    randomness::Randomness,
};

/// Rows in one transaction. A leak report waits for one at most: some tens of milliseconds.
const BATCH_ROWS: usize = 2_000;

/// What the reading thread produces.
enum ReaderMessage {
    Batch(ImportChunk),
    Bad(InvalidLine),
    /// Keys whose secrets have a length that nobody looks for: how many, by length.
    Unrecognised(BTreeMap<usize, usize>),
}

/// The result of an import.
#[derive(Default)]
struct ImportOutcome {
    imported: ImportCounts,
    /// The last change.
    committed: Option<Position>,
    /// Where the last change is enforced.
    enforced: Option<String>,
    rejected: RejectedLines,
    unrecognised: BTreeMap<usize, usize>,
}

pub(super) async fn run_import(
    config: &Config,
    path: &Path,
    format: Option<FileFormat>,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<CommandExit, NodeFault> {
    let form = format
        .or_else(|| FileFormat::of_name(&path.to_string_lossy()))
        .ok_or_else(|| {
            NodeFault::Usage("unknown format: pass --format csv or --format ndjson".to_owned())
        })?;
    let (bar, input) = open_input(path)?;
    let pool = open_database(config).await?;
    let ring = open_key_ring(config, &pool).await?;
    let began = Instant::now();
    let enforcing = EnforcementWait::new(&pool, config);
    let lengths = secret_lengths(&config.sections);
    let rows = (form, lengths);
    let taken = import_rows(&pool, ring, rows, input, &bar, &enforcing).await;
    bar.finish_and_clear();
    pool.close().await;
    let outcome = taken?;
    outcome.rejected.print(err)?;
    print_unrecognised(&outcome.unrecognised, err)?;
    let ImportCounts {
        inserted,
        changed,
        unchanged,
    } = outcome.imported;
    let count = inserted + changed + unchanged;
    print_rate(count, began, outcome.enforced.as_deref(), err)?;
    writeln!(
        out,
        "{inserted} new, {changed} changed, {unchanged} unchanged, {} rejected",
        outcome.rejected.count
    )?;
    Ok(outcome.rejected.exit())
}

/// Warns of secrets that no report and no scan recognises.
fn print_unrecognised(
    unrecognised: &BTreeMap<usize, usize>,
    err: &mut impl Write,
) -> std::io::Result<()> {
    for (length, count) in unrecognised {
        let may_be_named = SecretLengths::CONFIGURABLE.contains(length);
        let remedy = match may_be_named {
            true => format!("add {length} to sources.secret_lengths"),
            false => "no setting helps".to_owned(),
        };
        writeln!(
            err,
            "warning: {count} secrets have {length} characters and are not recognised in reports and files: {remedy}"
        )?;
    }
    Ok(())
}

async fn import_rows(
    pool: &Pool,
    ring: KeyRing,
    (form, lengths): (FileFormat, SecretLengths),
    input: Box<dyn Read + Send>,
    bar: &ProgressBar,
    enforcing: &EnforcementWait,
) -> Result<ImportOutcome, NodeFault> {
    let mut rng = Randomness::from_system()?.rng();
    let (mut batches, reader) = read_ahead(move |sender| {
        let mut batch = ImportChunk::default();
        let mut unrecognised = BTreeMap::new();
        for (line, row) in read_rows(form, BufReader::new(input)) {
            let row = match row {
                Ok(row) => row,
                Err(bad) => {
                    hand_over(sender, ReaderMessage::Bad(bad))?;
                    continue;
                }
            };
            if batch.len() >= BATCH_ROWS || batch.holds(&row.record.access_key_id) {
                hand_over(sender, ReaderMessage::Batch(std::mem::take(&mut batch)))?;
            }
            let length = row.record.secret.expose().chars().count();
            if !lengths.contains(length) {
                *unrecognised.entry(length).or_default() += 1;
            }
            batch
                .add(line, row, &ring, &mut rng)
                .map_err(StateFault::from)?;
        }
        hand_over(sender, ReaderMessage::Batch(batch))?;
        hand_over(sender, ReaderMessage::Unrecognised(unrecognised))
    });
    let mut outcome = ImportOutcome::default();
    let mut count = 0;
    while let Some(read) = batches.recv().await {
        let batch = match read {
            ReaderMessage::Bad(bad) => {
                outcome.rejected.add(bad);
                continue;
            }
            ReaderMessage::Unrecognised(unrecognised) => {
                outcome.unrecognised = unrecognised;
                continue;
            }
            ReaderMessage::Batch(batch) => batch,
        };
        if batch.is_empty() {
            continue;
        }
        let (imported, rejected, committed) = import_keys(pool, &batch, SystemClock.now()).await?;
        if let Some(last) = outcome.committed.replace(committed)
            && last.history != committed.history
        {
            // A failover in between may have lost what was committed before.
            enforcing.wait(last).await?;
        }
        outcome.imported.add(&imported);
        for bad in rejected {
            outcome.rejected.add(bad);
        }
        count += batch.len();
        show_rate(bar, count, "keys");
    }
    if let Some(committed) = outcome.committed {
        outcome.enforced = Some(enforcing.wait(committed).await?);
    }
    reader.await?;
    analyze_key_tables(pool).await?;
    Ok(outcome)
}
