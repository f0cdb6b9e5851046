//! The connections of a listener. At the limit a new one is let in all the same, and one that waits for a request makes room.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use atomic_waker::AtomicWaker;

use crate::{
    fair_budget::{BudgetFault, BudgetShare, Claimant, FairBudget, Part},
    peer::source_network,
    request_memory::memory_claimant,
};

/// What a connection is taken to need before anything is sent, in bytes: its task and its first buffers.
const CONNECTION_BYTES: u64 = 8 << 10;

/// A head is kept in a growing buffer and read into values.
const BYTES_PER_HEAD_BYTE: u64 = 5;

/// How many connections are looked at to find the one that makes room.
const SAMPLE: usize = 64;

/// Connections beyond the limit, while those that make room are being closed.
const SLACK: usize = 256;

/// The connections of a listener.
pub(super) struct ConnectionTable {
    limit: usize,
    memory: Arc<FairBudget>,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    slots: Vec<Option<Arc<ConnectionSeat>>>,
    free: Vec<usize>,
    by_source: HashMap<IpAddr, usize>,
    /// Where the next search begins.
    hand: usize,
}

impl Entries {
    fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Of some connections that can make room: one that never had a request, of the source that has most.
    fn find_dispensable(&mut self) -> Option<&Arc<ConnectionSeat>> {
        let count = self.slots.len();
        let looked_at = (0..SAMPLE.min(count)).map(|step| (self.hand + step) % count);
        let place = looked_at
            .filter_map(|place| {
                let seat = self.slots.get(place)?.as_ref()?;
                let of_source = self.by_source.get(&seat.source).copied();
                seat.can_make_room()
                    .then_some(((!seat.had_a_request(), of_source), place))
            })
            .max_by_key(|(need, _)| *need)
            .map(|(_, place)| place);
        self.hand = self.hand.wrapping_add(SAMPLE) % count.max(1);
        self.slots.get(place?)?.as_ref()
    }
}

impl ConnectionTable {
    pub fn new(limit: usize, memory: Arc<FairBudget>) -> Arc<Self> {
        Arc::new(Self {
            limit,
            memory,
            entries: Mutex::default(),
        })
    }

    /// Lets a connection in; a trusted proxy's never makes room for others.
    ///
    /// # Errors
    /// [`BudgetFault`] where the listener is full and none can make room.
    pub fn admit(
        self: &Arc<Self>,
        source: IpAddr,
        is_proxy: bool,
    ) -> Result<OpenConnection, BudgetFault> {
        let source = source_network(source);
        let claimant = match is_proxy {
            // Behind it are many callers.
            true => self.memory.claimant(("proxy", source), Part::Whole),
            false => memory_claimant(&self.memory, source),
        };
        let memory = self.memory.take([claimant], CONNECTION_BYTES);
        let mut entries = self.lock();
        let open = entries.len();
        if open >= self.limit || memory.is_err() {
            let is_beyond = open >= self.limit.saturating_add(SLACK);
            match entries.find_dispensable() {
                Some(seat) if !is_beyond => seat.make_room(),
                Some(_) | None => return Err(memory.err().unwrap_or(BudgetFault::Exhausted)),
            }
        }
        let slot = entries.free.pop().unwrap_or(entries.slots.len());
        let seat = Arc::new(ConnectionSeat {
            slot,
            source,
            is_proxy,
            phase: AtomicU64::new(0),
            is_receiving: AtomicBool::new(false),
            must_close: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        });
        let entry = Some(Arc::clone(&seat));
        match entries.slots.get_mut(slot) {
            Some(place) => *place = entry,
            None => entries.slots.push(entry),
        }
        *entries.by_source.entry(source).or_default() += 1;
        Ok(OpenConnection {
            table: Arc::clone(self),
            seat,
            claimant,
            memory: memory.ok(),
            head_bytes: 0,
        })
    }

    fn leave(&self, seat: &ConnectionSeat) {
        let mut entries = self.lock();
        if let Some(place) = entries.slots.get_mut(seat.slot) {
            *place = None;
            entries.free.push(seat.slot);
        }
        if let Some(count) = entries.by_source.get_mut(&seat.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                entries.by_source.remove(&seat.source);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the listener and the connection know of each other.
#[derive(Debug)]
pub struct ConnectionSeat {
    slot: usize,
    source: IpAddr,
    is_proxy: bool,
    /// Beginnings and ends of calls: even while a head is waited for, odd while a call is served.
    phase: AtomicU64,
    is_receiving: AtomicBool,
    must_close: AtomicBool,
    waker: AtomicWaker,
}

impl ConnectionSeat {
    /// Beginnings and ends of calls so far.
    pub(super) fn phase(&self) -> u64 {
        self.phase.load(Ordering::Relaxed)
    }

    pub(super) fn advance_phase(&self) {
        self.phase.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the caller is waited for: for a head, or for a body.
    fn is_waiting(&self) -> bool {
        self.phase().is_multiple_of(2) || self.is_receiving.load(Ordering::Relaxed)
    }

    fn had_a_request(&self) -> bool {
        self.phase() >= 2
    }

    fn can_make_room(&self) -> bool {
        !self.is_proxy && self.is_waiting() && !self.must_close.load(Ordering::Relaxed)
    }

    fn make_room(&self) {
        self.must_close.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Ready when the connection must be closed to make room.
    pub(super) fn poll_close(&self, context: &mut Context<'_>) -> Poll<io::Error> {
        self.waker.register(context.waker());
        match self.must_close.load(Ordering::Acquire) && self.is_waiting() {
            true => Poll::Ready(io::ErrorKind::ConnectionAborted.into()),
            false => Poll::Pending,
        }
    }

    /// Until this is dropped, a body is waited for, and the connection can be closed to make room.
    #[must_use]
    pub fn receive(self: &Arc<Self>) -> BodyWait {
        self.is_receiving.store(true, Ordering::Relaxed);
        BodyWait(Arc::clone(self))
    }
}

/// A body is being waited for.
#[derive(Debug)]
pub struct BodyWait(Arc<ConnectionSeat>);

impl Drop for BodyWait {
    fn drop(&mut self) {
        self.0.is_receiving.store(false, Ordering::Relaxed);
    }
}

/// A connection that was let in.
pub(super) struct OpenConnection {
    table: Arc<ConnectionTable>,
    pub seat: Arc<ConnectionSeat>,
    claimant: Claimant,
    memory: Option<BudgetShare<1>>,
    head_bytes: u64,
}

impl OpenConnection {
    /// Charges what has arrived of a head beyond what every connection may use.
    ///
    /// # Errors
    /// Where no memory is left.
    pub fn charge_head(&mut self, arrived: usize) -> io::Result<()> {
        let before = self.head_bytes;
        self.head_bytes = before.saturating_add(arrived as u64);
        let beyond = |bytes: u64| bytes.saturating_sub(CONNECTION_BYTES) * BYTES_PER_HEAD_BYTE;
        let more = beyond(self.head_bytes) - beyond(before);
        if more == 0 {
            return Ok(());
        }
        let charged = match &mut self.memory {
            Some(share) => share.grow(more),
            None => self.table.memory.take([self.claimant], more).map(|share| {
                self.memory = Some(share);
            }),
        };
        charged.map_err(|_| io::ErrorKind::ConnectionAborted.into())
    }

    /// The next head begins: what the last one held is free.
    pub fn begin_head(&mut self) {
        if self.head_bytes > CONNECTION_BYTES
            && let Some(share) = &mut self.memory
        {
            share.shrink_to(CONNECTION_BYTES);
        }
        self.head_bytes = 0;
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.table.leave(&self.seat);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn source(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    fn must_close(connection: &OpenConnection) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        connection.seat.poll_close(&mut context).is_ready()
    }

    #[test]
    fn full_listener_closes_a_connection_without_a_request_of_the_source_that_has_most() {
        let table = ConnectionTable::new(20, FairBudget::new(1 << 30));
        let many: Vec<_> = (0..18)
            .map(|_| table.admit(source(1), false).unwrap())
            .collect();
        let served = table.admit(source(2), false).unwrap();
        served.seat.advance_phase();
        served.seat.advance_phase();
        let busy = table.admit(source(3), false).unwrap();
        busy.seat.advance_phase();
        let newcomer = table.admit(source(4), false).unwrap();
        let closed = many.iter().filter(|one| must_close(one)).count();
        assert_eq!(closed, 1);
        assert!(![&served, &busy, &newcomer].into_iter().any(must_close));
    }

    #[test]
    fn listener_that_is_busy_or_belongs_to_a_proxy_makes_no_room() {
        let table = ConnectionTable::new(2, FairBudget::new(1 << 30));
        let busy = table.admit(source(1), false).unwrap();
        busy.seat.advance_phase();
        let proxy = table.admit(source(2), true).unwrap();
        assert!(table.admit(source(3), false).is_err());
        // While a body is waited for, a call can make room; afterwards it cannot.
        let receiving = busy.seat.receive();
        assert!(table.admit(source(3), false).is_ok());
        assert!(must_close(&busy) && !must_close(&proxy));
        drop(receiving);
        assert!(!must_close(&busy));
    }

    #[test]
    fn long_heads_are_charged_until_the_next_begins() {
        let memory = FairBudget::new(1 << 20);
        let table = ConnectionTable::new(10, Arc::clone(&memory));
        let mut connection = table.admit(source(1), false).unwrap();
        connection.charge_head(5000).unwrap();
        assert_eq!(memory.used(), CONNECTION_BYTES);
        connection.charge_head(100_000).unwrap();
        assert!(memory.used() > 3 * 90_000);
        let mut others: Vec<_> = (2..9)
            .map(|n| table.admit(source(n), false).unwrap())
            .collect();
        let mut charging = others.iter_mut().map(|one| one.charge_head(200_000));
        assert!(charging.any(|charged| charged.is_err()));
        connection.begin_head();
        drop(others);
        assert_eq!(memory.used(), CONNECTION_BYTES);
        drop(connection);
        assert_eq!((memory.used(), table.lock().len()), (0, 0));
    }
}
