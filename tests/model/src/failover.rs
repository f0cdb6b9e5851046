//! An asynchronous failover: a standby that received not everything becomes the primary.

use crate::{call::Call, model::Akgate, state::State};

impl Akgate {
    /// Keeps what the primary holds now, as what a standby will ever hold.
    pub fn stall_standby(&self, state: &mut State) -> Option<()> {
        if state.standby.is_some()
            || state.failovers == self.bounds.failovers
            || state.failovers + state.crashes >= self.bounds.faults
        {
            return None;
        }
        state.standby = Some(state.primary);
        Some(())
    }
}

impl State {
    /// Makes the standby the primary. What it did not receive is lost, and receipts of that claim nothing more.
    pub fn fail_over(&mut self) -> Option<()> {
        self.primary = self.standby.take()?;
        self.primary.promoted = true;
        self.failovers += 1;
        let mut lost = 0;
        for (index, writer) in self.writers.iter_mut().enumerate() {
            if let Some(writer) = writer {
                writer.lost |= writer.position.revision > self.primary.log.revision();
                lost |= u8::from(writer.lost) << index;
            }
        }
        if let Call::Running { receipts, .. } = &mut self.call {
            *receipts &= !lost;
        }
        Some(())
    }
}
