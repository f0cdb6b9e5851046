//! `akgate keys import`: one thread reads and seals, the database takes batches meanwhile.

use std::{
    io::{BufReader, Read, Write},
    path::Path,
    time::Instant,
};

use akgate_state::database::Pool;
use indicatif::ProgressBar;
use tokio::sync::mpsc;

use super::{Exit, KeysError};
use crate::{
    command::{
        enforced::Enforcing,
        input::{open, show_rate},
    },
    config::Config,
    serve::open_database,
};
use akgate_rules::position::Position;
use akgate_state::{
    clock::{Clock, SystemClock},
    directory::{
        StateFault,
        import::{BadLine, Form, rows},
        sealing::KeyRing,
    },
    keys::import::{Batch, Imported, analyze, import},
    randomness::Randomness,
};

/// Rows in one transaction. A leak report waits for one at most: some tens of milliseconds.
const BATCH: usize = 2_000;

/// Batches that may wait for the database.
const AHEAD: usize = 2;

/// Bad lines that are shown one by one.
const SHOWN: usize = 20;

/// What the reader hands over.
enum Handed {
    Batch(Batch),
    Bad(BadLine),
}

/// What came of a file.
#[derive(Default)]
struct Outcome {
    imported: Imported,
    /// The last change.
    committed: Option<Position>,
    /// Where that is enforced.
    enforced: Option<String>,
    rejected: usize,
    shown: Vec<BadLine>,
}

impl Outcome {
    fn reject(&mut self, bad: BadLine) {
        self.rejected += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(bad);
        }
    }
}

pub(super) async fn run(
    config: &Config,
    path: &Path,
    format: Option<Form>,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<Exit, KeysError> {
    let form = format
        .or_else(|| Form::of_name(&path.to_string_lossy()))
        .ok_or(KeysError::Form)?;
    let (bar, input) = open(path).map_err(|fault| KeysError::File {
        path: path.display().to_string(),
        fault,
    })?;
    let pool = open_database(config).await?;
    let ring = KeyRing::parse(config.key_ring.expose())?;
    let began = Instant::now();
    let enforcing = Enforcing::new(&pool, config);
    let taken = take(&pool, ring, form, input, &bar, &enforcing).await;
    bar.finish_and_clear();
    pool.close().await;
    let outcome = taken?;
    for bad in &outcome.shown {
        writeln!(err, "{bad}")?;
    }
    if outcome.rejected > outcome.shown.len() {
        writeln!(err, "… and {} more", outcome.rejected - outcome.shown.len())?;
    }
    let Imported {
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
        0 => Exit::Ok,
        _ => Exit::Partial,
    })
}

async fn take(
    pool: &Pool,
    ring: KeyRing,
    form: Form,
    input: Box<dyn Read + Send>,
    bar: &ProgressBar,
    enforcing: &Enforcing,
) -> Result<Outcome, KeysError> {
    let mut rng = Randomness::from_system()?.rng();
    let (give, mut batches) = mpsc::channel(AHEAD);
    let reader = tokio::task::spawn_blocking(move || {
        let mut batch = Batch::default();
        for (line, row) in rows(form, BufReader::new(input)) {
            let row = match row {
                Ok(row) => row,
                Err(bad) => {
                    if give.blocking_send(Handed::Bad(bad)).is_err() {
                        return Ok(());
                    }
                    continue;
                }
            };
            if batch.len() >= BATCH || batch.holds(&row.record.access_key_id) {
                let full = std::mem::take(&mut batch);
                // Nobody takes it: the database has failed, and says so itself.
                if give.blocking_send(Handed::Batch(full)).is_err() {
                    return Ok(());
                }
            }
            batch
                .add(line, row, &ring, &mut rng)
                .map_err(StateFault::from)?;
        }
        give.blocking_send(Handed::Batch(batch)).ok();
        Ok::<_, StateFault>(())
    });
    let mut outcome = Outcome::default();
    let mut count = 0;
    while let Some(read) = batches.recv().await {
        let batch = match read {
            Handed::Bad(bad) => {
                outcome.reject(bad);
                continue;
            }
            Handed::Batch(batch) => batch,
        };
        if batch.is_empty() {
            continue;
        }
        let (imported, rejected, committed) = import(pool, &batch, SystemClock.now()).await?;
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
    analyze(pool).await?;
    Ok(outcome)
}
