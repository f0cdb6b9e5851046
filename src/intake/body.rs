//! Reads the body of a delivery, within its own limit and the memory budget of all deliveries.

use axum::body::Body;
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;
use zeroize::Zeroizing;

use super::{context::Intake, refusal::DeliveryRefusal};

const BYTES_PER_PERMIT: usize = 1024;

/// A body in memory; dropping it wipes it and returns its share of the budget.
pub(super) struct BufferedBody {
    bytes: Zeroizing<Vec<u8>>,
    _room: Option<OwnedSemaphorePermit>,
}

impl BufferedBody {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a body. Budget is taken as bytes arrive, so a sender that only announces a large body holds none.
pub(super) async fn read_body(
    intake: &Intake,
    body: Body,
) -> Result<BufferedBody, DeliveryRefusal> {
    read_body_up_to(intake, body, intake.body_limit).await
}

/// Reads a body up to a limit in bytes.
pub(super) async fn read_body_up_to(
    intake: &Intake,
    body: Body,
    limit: usize,
) -> Result<BufferedBody, DeliveryRefusal> {
    let reading = collect_body(intake, body, limit);
    let read = tokio::time::timeout(intake.body_timeout, reading).await;
    read.map_err(|_| DeliveryRefusal::TooSlow)?
}

async fn collect_body(
    intake: &Intake,
    mut body: Body,
    limit: usize,
) -> Result<BufferedBody, DeliveryRefusal> {
    let mut bytes = Zeroizing::new(Vec::new());
    let mut room: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| DeliveryRefusal::Malformed("the body is incomplete"))?;
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        if bytes.len() + chunk.len() > limit {
            return Err(DeliveryRefusal::TooLong);
        }
        bytes.extend_from_slice(&chunk);
        let taken = room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = bytes.len().div_ceil(BYTES_PER_PERMIT).saturating_sub(taken);
        let missing = u32::try_from(missing).map_err(|_| DeliveryRefusal::TooLong)?;
        let more = intake.body_budget.clone().try_acquire_many_owned(missing);
        let more = more.map_err(|_| DeliveryRefusal::Unavailable)?;
        match &mut room {
            Some(room) => room.merge(more),
            None => room = Some(more),
        }
    }
    Ok(BufferedBody { bytes, _room: room })
}
