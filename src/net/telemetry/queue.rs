//! The bounded queue of lines for standard error. A line that does not fit is dropped and counted.

use std::{
    cell::Cell,
    io::{self, ErrorKind, Write},
    mem,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use akgate_rules::visible_text::escape_misleading;

/// Bytes that may wait; as many again may be on their way.
const MAX_WAITING_BYTES: usize = 2 << 20;

/// How often the log's own thread looks around while nothing is logged, and tells of dropped lines at most.
const TICK: Duration = Duration::from_secs(1);

/// Time between two attempts to write to a non-blocking standard error that is full.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

thread_local! {
    /// Whether this is the log's own thread: its lines, at most one a second, are never dropped.
    static IS_LOG_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Lines that wait for standard error.
pub(super) struct LineQueue {
    state: Mutex<QueueState>,
    has_come: Condvar,
    is_written: Condvar,
}

struct QueueState {
    waiting: Batch,
    is_writing: bool,
    dropped: u64,
}

/// Whole lines.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    lines: u64,
}

impl LineQueue {
    pub const fn new() -> Self {
        Self {
            state: Mutex::new(QueueState {
                waiting: Batch {
                    bytes: Vec::new(),
                    lines: 0,
                },
                is_writing: false,
                dropped: 0,
            }),
            has_come: Condvar::new(),
            is_written: Condvar::new(),
        }
    }

    /// Lines that were dropped.
    pub fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// Writes for ever, with what misleads escaped; does `upkeep` after each write, and every second. Colours are kept
    /// where `is_coloured`.
    pub fn keep_writing(&self, mut out: impl Write, is_coloured: bool, upkeep: impl Fn()) {
        let keeps: fn(char) -> bool = match is_coloured {
            true => |c| matches!(c, '\n' | '\u{1b}'),
            false => |c| c == '\n',
        };
        IS_LOG_THREAD.set(true);
        let (mut told, mut told_at) = (0, None::<Instant>);
        let mut is_taken = true;
        loop {
            if let Some(batch) = self.next_batch() {
                let text = String::from_utf8_lossy(&batch.bytes);
                let text = escape_misleading(&text, keeps);
                is_taken = write_whole(&mut out, text.as_bytes()).is_ok();
                self.settle(&batch, is_taken);
            }
            let dropped = self.dropped();
            if is_taken && dropped > told && told_at.is_none_or(|at| at.elapsed() >= TICK) {
                let lines = dropped - told;
                (told, told_at) = (dropped, Some(Instant::now()));
                tracing::warn!(
                    lines,
                    "log lines were dropped: standard error did not take them"
                );
            }
            upkeep();
        }
    }

    /// Waits until everything is written, up to a timeout.
    pub fn flush(&self, timeout: Duration) {
        let is_left = |state: &mut QueueState| state.is_writing || state.waiting.lines > 0;
        let flushed = self
            .is_written
            .wait_timeout_while(self.state(), timeout, is_left);
        drop(flushed);
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.state();
        let is_room = state.waiting.bytes.len() + line.len() <= MAX_WAITING_BYTES;
        if is_room || IS_LOG_THREAD.get() {
            state.waiting.bytes.extend_from_slice(line);
            state.waiting.lines += 1;
            self.has_come.notify_one();
        } else {
            state.dropped += 1;
        }
    }

    fn next_batch(&self) -> Option<Batch> {
        let is_empty = |state: &mut QueueState| state.waiting.lines == 0;
        let waited = self
            .has_come
            .wait_timeout_while(self.state(), TICK, is_empty);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_writing = state.waiting.lines > 0;
        state.is_writing.then(|| mem::take(&mut state.waiting))
    }

    fn settle(&self, batch: &Batch, is_taken: bool) {
        let mut state = self.state();
        state.is_writing = false;
        if !is_taken {
            state.dropped += batch.lines;
        }
        self.is_written.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        // Each change leaves the state whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The log writes each line at once.
impl Write for &LineQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As `write_all`, also where a parent process has made standard error non-blocking.
fn write_whole(out: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
            Err(fault) if fault.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY_INTERVAL),
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Says what it is told to write, and goes on when it is allowed to.
    struct SlowReader(mpsc::Sender<usize>, mpsc::Receiver<io::Result<()>>);

    impl Write for SlowReader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.len()).ok();
            match self.1.recv() {
                Ok(allowed) => allowed.map(|()| bytes.len()),
                Err(_) => loop {
                    thread::park();
                },
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn queue() -> (
        &'static LineQueue,
        mpsc::Receiver<usize>,
        mpsc::Sender<io::Result<()>>,
    ) {
        let queue: &'static LineQueue = Box::leak(Box::new(LineQueue::new()));
        let ((said, says), (allow, allowed)) = (mpsc::channel(), mpsc::channel());
        thread::spawn(|| queue.keep_writing(SlowReader(said, allowed), false, || {}));
        (queue, says, allow)
    }

    #[test]
    fn line_that_finds_no_room_is_dropped_and_counted() {
        let (queue, says, allow) = queue();
        queue.push(b"first\n");
        assert_eq!(says.recv().unwrap(), 6);
        let line = vec![b'x'; 1 << 20];
        for _ in 0..5 {
            queue.push(&line);
        }
        assert_eq!(queue.dropped(), 3);
        allow.send(Ok(())).unwrap();
        assert_eq!(says.recv().unwrap(), 2 << 20);
        allow.send(Ok(())).unwrap();
        queue.flush(Duration::from_secs(20));
        queue.push(b"later\n");
        assert_eq!(says.recv().unwrap(), 6);
    }

    #[test]
    fn line_that_is_not_taken_is_counted_and_the_next_is_tried() {
        let (queue, says, allow) = queue();
        queue.push(b"lost\n");
        says.recv().unwrap();
        allow.send(Err(ErrorKind::StorageFull.into())).unwrap();
        queue.flush(Duration::from_secs(20));
        assert_eq!(queue.dropped(), 1);
        queue.push(b"taken\n");
        says.recv().unwrap();
        allow.send(Ok(())).unwrap();
        queue.flush(Duration::from_secs(20));
        assert_eq!(queue.dropped(), 1);
    }

    #[test]
    fn flush_ends_though_nobody_reads() {
        let (queue, says, _allow) = queue();
        queue.push(b"line\n");
        says.recv().unwrap();
        queue.flush(Duration::from_millis(10));
    }
}
