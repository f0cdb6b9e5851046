//! Threads that serve calls, each with its own runtime, so that a call stays on the thread of its connection.

use std::{io, thread};

use tokio::{
    runtime::{Builder, Handle},
    sync::watch,
};

/// The threads. Dropping this ends them and drops the tasks that run on them.
pub struct CoreRuntimes {
    runtimes: Vec<Handle>,
    threads: Vec<thread::JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl CoreRuntimes {
    /// Starts this number of threads.
    ///
    /// # Errors
    /// The operating system refused.
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
                // A dropped sender also means stop.
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
            // A panic of the thread is already logged.
            thread.join().ok();
        }
    }
}
