//! What imports of files share: a thread that reads ahead, and reports of unreadable lines and of the speed.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
    time::Instant,
};

use indicatif::ProgressBar;
use serde::Serialize;
use tokio::sync::mpsc;

use super::{CommandExit, node::NodeFault, progress::progress_bar};
use akgate_state::directory::import::InvalidLine;

/// Batches that may wait for the database.
const QUEUED_BATCHES: usize = 2;

/// How many unreadable lines are shown one by one.
const MAX_SHOWN_LINES: usize = 20;

/// Opens the file, `-` for standard input, with a bar that follows how much of it was read.
///
/// # Errors
/// [`NodeFault::File`].
pub(super) fn open_input(path: &Path) -> Result<(ProgressBar, Box<dyn Read + Send>), NodeFault> {
    let (length, input): (Option<u64>, Box<dyn Read + Send>) = if path == Path::new("-") {
        (None, Box::new(io::stdin()))
    } else {
        let file = File::open(path).map_err(NodeFault::file(path))?;
        let length = file.metadata().map_err(NodeFault::file(path))?.len();
        (Some(length), Box::new(file))
    };
    let bar = progress_bar(length, "{bar:20} {msg}, {bytes}/{total_bytes}, {eta} left");
    let input = bar.wrap_read(input);
    Ok((bar, Box::new(input)))
}

/// Reads in a thread of its own, some batches ahead of the consumer; the future returns how the thread ended.
pub(super) fn read_ahead<M: Send + 'static>(
    read: impl FnOnce(&mpsc::Sender<M>) -> Result<(), NodeFault> + Send + 'static,
) -> (
    mpsc::Receiver<M>,
    impl Future<Output = Result<(), NodeFault>>,
) {
    let (sender, batches) = mpsc::channel(QUEUED_BATCHES);
    let reader = tokio::task::spawn_blocking(move || read(&sender));
    let ended = async { reader.await.map_err(|_| NodeFault::Reader)? };
    (batches, ended)
}

/// Passes a batch to the consumer.
///
/// # Errors
/// [`NodeFault::Reader`] if the consumer has ended because the database failed; it reports that itself.
pub(super) fn hand_over<M>(sender: &mpsc::Sender<M>, message: M) -> Result<(), NodeFault> {
    sender.blocking_send(message).map_err(|_| NodeFault::Reader)
}

/// Shows how many were done, and how many a second.
pub(super) fn show_rate(bar: &ProgressBar, count: usize, what: &str) {
    let rate = count as f64 / bar.elapsed().as_secs_f64().max(0.001);
    bar.set_message(format!("{count} {what}, {rate:.0}/s"));
}

/// Says at the end how many were done, how fast, and where the last change is enforced.
pub(super) fn print_rate(
    count: u64,
    began: Instant,
    enforced: Option<&str>,
    err: &mut impl Write,
) -> io::Result<()> {
    let seconds = began.elapsed().as_secs_f64();
    let rate = count as f64 / seconds;
    writeln!(err, "{count} in {seconds:.1} s, {rate:.0} per second")?;
    match enforced {
        Some(enforced) => writeln!(err, "{enforced}"),
        None => Ok(()),
    }
}

/// Lines that were not imported: their number, and the first few. JSON shows only the number.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub(super) struct RejectedLines {
    pub count: usize,
    #[serde(skip)]
    shown: Vec<InvalidLine>,
}

impl RejectedLines {
    pub fn add(&mut self, line: InvalidLine) {
        self.count += 1;
        if self.shown.len() < MAX_SHOWN_LINES {
            self.shown.push(line);
        }
    }

    pub fn print(&self, err: &mut impl Write) -> io::Result<()> {
        for line in &self.shown {
            writeln!(err, "{line}")?;
        }
        match self.count - self.shown.len() {
            0 => Ok(()),
            more => writeln!(err, "… and {more} more"),
        }
    }

    /// How the import ends.
    pub fn exit(&self) -> CommandExit {
        match self.count {
            0 => CommandExit::Ok,
            _ => CommandExit::Partial,
        }
    }
}
