//! Threads that serve calls: each with a runtime of its own, so that a call stays where its connection is.

use std::{io, thread};

use tokio::{
    runtime::{Builder, Handle},
    sync::watch,
};

/// The threads. They end when this is dropped; what runs on them then is dropped with them.
pub struct CoreRuntimes {
    runtimes: Vec<Handle>,
    threads: Vec<thread::JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl CoreRuntimes {
    /// Starts so many threads.
    ///
    /// # Errors
    /// That of the operating system.
    pub fn start(count: usize) -> io::Result<Self> {
        let (stop, _) = watch::channel(false);
        let mut cores = Self {
            runtimes: Vec::with_capacity(count),
            threads: Vec::with_capacity(count),
            stop,
        };
        for number in 0..count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let mut stopped = cores.stop.subscribe();
            cores.runtimes.push(runtime.handle().clone());
            let thread = thread::Builder::new()
                .name(format!("core-{number}"))
                // A sender that is gone means the same as being told.
                .spawn(move || drop(runtime.block_on(stopped.wait_for(|stop| *stop))))?;
            cores.threads.push(thread);
        }
        Ok(cores)
    }

    /// Their runtimes.
    pub(super) fn runtimes(&self) -> &[Handle] {
        &self.runtimes
    }
}

impl Drop for CoreRuntimes {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            thread.join().ok();
        }
    }
}
