//! `POST /admin/v1/restrictions/{id}:lift`: an operator's decision, with a reason.

use serde::Deserialize;
use uuid::Uuid;

use super::{Admin, Problem, extract::text};
use crate::{
    audit::Actor,
    directory::within,
    registry::lift::{self, LiftFault, Lifting},
};

/// Why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    reason: String,
    #[serde(default)]
    accept_active_key: bool,
}

/// Lifts the restriction.
pub async fn lift(admin: &Admin, actor: Actor, id: Uuid, body: Body) -> Result<(), Problem> {
    text("reason", &body.reason, 1024)?;
    let lifting = Lifting {
        actor,
        reason: body.reason,
        accept_active_key: body.accept_active_key,
    };
    let now = admin.clock.now();
    let lifted = within(admin.timeout, async {
        Ok::<_, crate::directory::StateFault>(lift::lift(&admin.pool, id, &lifting, now).await)
    })
    .await?;
    match lifted {
        Ok(revision) => {
            admin.enforce(revision).await;
            Ok(())
        }
        Err(LiftFault::NotFound) => Err(Problem::not_found("There is no restriction of this id.")),
        Err(LiftFault::Refused(refused)) => Err(refused.into()),
        Err(LiftFault::State(fault)) => Err(fault.into()),
    }
}
