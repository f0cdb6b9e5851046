//! `akgate keys import`: one thread reads and seals, the database takes batches meanwhile.

use std::{
    io::{BufReader, Read, Write},
    path::Path,
    time::Instant,
};

use akgate_state::database::Pool;
use indicatif::ProgressBar;
use tokio::sync::mpsc;

use super::{CommandExit, KeysError};
use crate::{
    command::{
        enforced::EnforcementWait,
        input::{open_input, show_rate},
    },
    config::Config,
    serve::open_database,
};
use akgate_rules::position::Position;
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

/// Batches that may wait for the database.
const QUEUED_BATCHES: usize = 2;

/// Bad lines that are shown one by one.
const MAX_SHOWN_LINES: usize = 20;

/// What the reader hands over.
enum ReaderMessage {
    Batch(ImportChunk),
    Bad(InvalidLine),
}

/// What came of a file.
#[derive(Default)]
struct ImportOutcome {
    imported: ImportCounts,
    /// The last change.
    committed: Option<Position>,
    /// Where that is enforced.
    enforced: Option<String>,
    rejected: usize,
    shown: Vec<InvalidLine>,
}

impl ImportOutcome {
    fn reject(&mut self, bad: InvalidLine) {
        self.rejected += 1;
        if self.shown.len() < MAX_SHOWN_LINES {
            self.shown.push(bad);
        }
    }
}

pub(super) async fn run_import(
    config: &Config,
    path: &Path,
    format: Option<FileFormat>,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<CommandExit, KeysError> {
    let form = format
        .or_else(|| FileFormat::of_name(&path.to_string_lossy()))
        .ok_or(KeysError::Form)?;
    let (bar, input) = open_input(path).map_err(|fault| KeysError::File {
        path: path.display().to_string(),
        fault,
    })?;
    let pool = open_database(config).await?;
    let ring = KeyRing::parse(config.key_ring.expose())?;
    let began = Instant::now();
    let enforcing = EnforcementWait::new(&pool, config);
    let taken = import_rows(&pool, ring, form, input, &bar, &enforcing).await;
    bar.finish_and_clear();
    pool.close().await;
    let outcome = taken?;
    for bad in &outcome.shown {
        writeln!(err, "{bad}")?;
    }
    if outcome.rejected > outcome.shown.len() {
        writeln!(err, "… and {} more", outcome.rejected - outcome.shown.len())?;
    }
    let ImportCounts {
        inserted,
        changed,
        unchanged,
    } = outcome.imported;
    let seconds = began.elapsed().as_secs_f64();
    let count = inserted + changed + unchanged;
    writeln!(
        err,
        "{count} in {seconds:.1} s, {:.0} per second",
        count as f64 / seconds
    )?;
    if let Some(enforced) = &outcome.enforced {
        writeln!(err, "{enforced}")?;
    }
    writeln!(
        out,
        "{inserted} new, {changed} changed, {unchanged} unchanged, {} rejected",
        outcome.rejected
    )?;
    Ok(match outcome.rejected {
        0 => CommandExit::Ok,
        _ => CommandExit::Partial,
    })
}

async fn import_rows(
    pool: &Pool,
    ring: KeyRing,
    form: FileFormat,
    input: Box<dyn Read + Send>,
    bar: &ProgressBar,
    enforcing: &EnforcementWait,
) -> Result<ImportOutcome, KeysError> {
    let mut rng = Randomness::from_system()?.rng();
    let (give, mut batches) = mpsc::channel(QUEUED_BATCHES);
    let reader = tokio::task::spawn_blocking(move || {
        let mut batch = ImportChunk::default();
        for (line, row) in read_rows(form, BufReader::new(input)) {
            let row = match row {
                Ok(row) => row,
                Err(bad) => {
                    if give.blocking_send(ReaderMessage::Bad(bad)).is_err() {
                        return Ok(());
                    }
                    continue;
                }
            };
            if batch.len() >= BATCH_ROWS || batch.holds(&row.record.access_key_id) {
                let full = std::mem::take(&mut batch);
                // Nobody takes it: the database has failed, and says so itself.
                if give.blocking_send(ReaderMessage::Batch(full)).is_err() {
                    return Ok(());
                }
            }
            batch
                .add(line, row, &ring, &mut rng)
                .map_err(StateFault::from)?;
        }
        give.blocking_send(ReaderMessage::Batch(batch)).ok();
        Ok::<_, StateFault>(())
    });
    let mut outcome = ImportOutcome::default();
    let mut count = 0;
    while let Some(read) = batches.recv().await {
        let batch = match read {
            ReaderMessage::Bad(bad) => {
                outcome.reject(bad);
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
            outcome.reject(bad);
        }
        count += batch.len();
        show_rate(bar, count, "keys");
    }
    if let Some(committed) = outcome.committed {
        outcome.enforced = Some(enforcing.wait(committed).await?);
    }
    reader.await.map_err(|_| KeysError::Reader)??;
    analyze_key_tables(pool).await?;
    Ok(outcome)
}
