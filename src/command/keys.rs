//! `akgate keys import`: fills the directory from a file.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal, Read, Write},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sqlx::PgPool;

use super::{Exit, settings::Settings};
use crate::{
    clock::{Clock, SystemClock},
    config::Config,
    directory::{
        StateFault,
        import::{Form, Row, rows},
        sealing::{KeyRing, KeyRingFault},
    },
    randomness::Randomness,
    registry::import::{Imported, import},
    serve::{ServeError, open_database},
};

/// Rows in one transaction: a leak report waits for one at most.
const BATCH: usize = 50;

/// Bad lines that are shown one by one.
const SHOWN: usize = 20;

/// Fill the directory
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Take AccessKeys from a file: doing it twice changes nothing
    ///
    /// CSV with a header line, or NDJSON. Members: account_id, user_name (empty for the account itself), access_key_id,
    /// access_key_secret, status (Active, Inactive, Deleted), owner_email, owner_language (en, zh-CN).
    Import {
        /// The file, or - for standard input
        file: PathBuf,
        /// Its form, where its name does not tell
        #[arg(long, value_enum)]
        format: Option<Form>,
        /// Where the configuration is
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Debug, thiserror::Error)]
enum ImportError {
    #[error("{path}: {fault}")]
    File { path: String, fault: io::Error },
    #[error("say what the file is: --format csv or --format ndjson")]
    Form,
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("the key ring: {0}")]
    KeyRing(#[from] KeyRingFault),
    #[error(transparent)]
    State(#[from] StateFault),
    #[error(transparent)]
    Randomness(#[from] rand::rngs::SysError),
}

/// Imports. 0 where every line was taken, 3 where some were not, 1 where it broke off.
///
/// # Errors
/// That of the outputs.
pub fn run(command: &Command, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let Command::Import {
        file,
        format,
        settings,
    } = command;
    let config = match settings.load(&[]) {
        Ok(config) => config,
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            return Ok(Exit::Usage);
        }
    };
    let runtime = tokio::runtime::Runtime::new()?;
    match runtime.block_on(import_file(&config, file, *format)) {
        Ok(imported) => {
            for bad in imported.rejected.iter().take(SHOWN) {
                writeln!(err, "{bad}")?;
            }
            let rejected = imported.rejected.len();
            if rejected > SHOWN {
                writeln!(err, "… and {} more", rejected - SHOWN)?;
            }
            writeln!(
                out,
                "{} new, {} changed, {} unchanged, {rejected} not taken",
                imported.inserted, imported.changed, imported.unchanged
            )?;
            Ok(match rejected {
                0 => Exit::Ok,
                _ => Exit::Partial,
            })
        }
        Err(fault @ ImportError::Form) => {
            writeln!(err, "error: {fault}")?;
            Ok(Exit::Usage)
        }
        Err(fault) => {
            let advice = match &fault {
                ImportError::State(_) => ". What was taken before stays; run it again",
                _ => "",
            };
            writeln!(err, "error: {fault}{advice}")?;
            Ok(Exit::Failed)
        }
    }
}

async fn import_file(
    config: &Config,
    path: &Path,
    format: Option<Form>,
) -> Result<Imported, ImportError> {
    let form = format
        .or_else(|| Form::of_name(&path.to_string_lossy()))
        .ok_or(ImportError::Form)?;
    let (bar, input) = open(path)?;
    let pool = open_database(config).await?;
    let ring = KeyRing::parse(config.key_ring.expose())?;
    let imported = take(&pool, &ring, form, input).await;
    bar.finish_and_clear();
    pool.close().await;
    imported
}

async fn take(
    pool: &PgPool,
    ring: &KeyRing,
    form: Form,
    input: impl BufRead,
) -> Result<Imported, ImportError> {
    let mut rng = Randomness::from_system()?.rng();
    let mut imported = Imported::default();
    let mut batch: Vec<(u64, Row)> = Vec::with_capacity(BATCH);
    for (line, row) in rows(form, input) {
        match row {
            Ok(row) => batch.push((line, row)),
            Err(bad) => imported.rejected.push(bad),
        }
        if batch.len() == BATCH {
            let now = SystemClock.now();
            import(pool, ring, &batch, &mut imported, now, &mut rng).await?;
            batch.clear();
        }
    }
    let now = SystemClock.now();
    import(pool, ring, &batch, &mut imported, now, &mut rng).await?;
    Ok(imported)
}

/// The input, and a bar on standard error that follows how much of it was read.
fn open(path: &Path) -> Result<(ProgressBar, Box<dyn BufRead>), ImportError> {
    let wrong = |fault| ImportError::File {
        path: path.display().to_string(),
        fault,
    };
    let (length, input): (Option<u64>, Box<dyn Read>) = if path == Path::new("-") {
        (None, Box::new(io::stdin()))
    } else {
        let file = File::open(path).map_err(wrong)?;
        let length = file.metadata().map_err(wrong)?.len();
        (Some(length), Box::new(file))
    };
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(length, target);
    let form = "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style);
    }
    let reader = BufReader::new(bar.wrap_read(input));
    Ok((bar, Box::new(reader)))
}
