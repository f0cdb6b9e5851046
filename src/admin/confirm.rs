//! `POST /admin/v1/restrictions/{id}:confirm`: the owner's word came by ticket or hotline.

use serde::Deserialize;
use uuid::Uuid;

use super::{Admin, Problem, extract::text};
use crate::{
    audit::Actor,
    directory::within,
    registry::confirm::{Confirmed, by_ticket},
    restriction::State,
};

/// Where the owner's word is kept.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    ticket: String,
}

/// Records the confirmation.
pub async fn confirm(admin: &Admin, actor: &Actor, id: Uuid, body: Body) -> Result<(), Problem> {
    text("ticket", &body.ticket, 128)?;
    let now = admin.clock.now();
    let confirming = by_ticket(&admin.pool, id, actor, &body.ticket, now);
    match within(admin.timeout, confirming).await? {
        Confirmed::Now(_) => Ok(()),
        Confirmed::Before(_, State::Lifted) => Err(Problem::conflict(
            "already-lifted",
            "The restriction is lifted already.",
            "There is nothing left to confirm.",
        )),
        Confirmed::Before(..) => Err(Problem::conflict(
            "already-confirmed",
            "The clean-up is confirmed already.",
            "The restriction can be lifted.",
        )),
        Confirmed::NotFound => Err(Problem::not_found("There is no restriction of this id.")),
    }
}
