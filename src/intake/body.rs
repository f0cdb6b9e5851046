//! The body of a delivery: whole, bounded, and within the room that all deliveries share.

use axum::body::Body;
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;
use zeroize::Zeroizing;

use super::{Intake, Refusal};

const KIB: usize = 1024;

/// A body in memory; its room is free again when it is dropped, and what it held is wiped.
pub(super) struct Held {
    bytes: Zeroizing<Vec<u8>>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Held {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a body. Room is taken as it arrives: who announces much and sends nothing holds none.
pub(super) async fn read(intake: &Intake, body: Body) -> Result<Held, Refusal> {
    read_up_to(intake, body, intake.body_limit).await
}

/// Reads a body of at most so many bytes.
pub(super) async fn read_up_to(intake: &Intake, body: Body, limit: usize) -> Result<Held, Refusal> {
    let reading = gather(intake, body, limit);
    let read = tokio::time::timeout(intake.body_timeout, reading).await;
    read.map_err(|_| Refusal::TooSlow)?
}

async fn gather(intake: &Intake, mut body: Body, limit: usize) -> Result<Held, Refusal> {
    let mut bytes = Zeroizing::new(Vec::new());
    let mut room: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::Malformed("the body is incomplete"))?;
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        if bytes.len() + chunk.len() > limit {
            return Err(Refusal::TooLong);
        }
        bytes.extend_from_slice(&chunk);
        let taken = room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = bytes.len().div_ceil(KIB).saturating_sub(taken);
        let missing = u32::try_from(missing).map_err(|_| Refusal::TooLong)?;
        let more = intake.room.clone().try_acquire_many_owned(missing);
        let more = more.map_err(|_| Refusal::Unavailable)?;
        match &mut room {
            Some(room) => room.merge(more),
            None => room = Some(more),
        }
    }
    Ok(Held { bytes, _room: room })
}
