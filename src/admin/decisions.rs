//! `GET /admin/v1/decisions/{request_id}`: why a call was refused, or not, and what would make it pass.

use axum::{Json as Answer, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Admin, Problem, auth::Reader, extract::Path, openapi::Faults, problem::Details,
    restrictions::view,
};
use akgate_rules::restriction;
use akgate_state::{
    calls::{
        decision::{self, DecisionView},
        why::Forbidden,
    },
    directory::within,
    restrictions::read::RestrictionView,
};

/// A decision, its rule in words, and the restriction as it is now.
#[derive(Serialize, ToSchema)]
#[schema(as = Why)]
pub struct Why {
    /// What was decided.
    #[serde(flatten)]
    decision: DecisionView,
    /// The rule, in words.
    rule: String,
    /// What would make the same call pass now, in words; empty where it passed.
    to_pass: Vec<String>,
    /// The restriction that forbade it, as it is now, with the reports that led to it.
    restriction: Option<RestrictionView>,
}

/// Tell why a call was refused
///
/// By the RequestId that the caller got. Calls that were to change something are on record, and those that were
/// refused; plain reads that passed are counted alone.
#[utoipa::path(
    get,
    path = "/admin/v1/decisions/{request_id}",
    operation_id = "getDecision",
    tag = "records",
    params(("request_id" = Uuid, Path, description = "The RequestId.")),
    responses(
        (status = 200, description = "What was decided, and why.", body = Why),
        (status = 404, description = "No such call is on record.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn read(
    State(admin): State<Admin>,
    _: Reader,
    Path(request_id): Path<Uuid>,
) -> Result<Answer<Why>, Problem> {
    let found = within(admin.timeout, decision::find(&admin.pool, request_id)).await?;
    let decision = found.ok_or_else(|| {
        Problem::not_found(
            "No call of this RequestId is on record: reads that passed are counted alone, and what is refused is written within a second.",
        )
    })?;
    let restriction = match decision.restriction_id {
        Some(id) => Some(view(&admin, id).await?),
        None => None,
    };
    Ok(Answer(Why {
        rule: rule(&decision, restriction.as_ref()),
        to_pass: to_pass(&decision, restriction.as_ref()),
        decision,
        restriction,
    }))
}

fn rule(decision: &DecisionView, restriction: Option<&RestrictionView>) -> String {
    let Some(restriction) = restriction else {
        let why = match decision.grounds.as_deref() {
            Some("clear") => "No restriction was in force on the key or what it descends from.",
            Some("harmless") => {
                "A restriction was in force, and its profile lets this operation pass."
            }
            Some("self-remedy") => "The leaked key took itself out of service.",
            Some("excepted") => {
                "A restriction was in force, and an exception from it covered the call."
            }
            Some("off") => "The policy was off.",
            Some("anonymous") => "The call carries no AccessKey that could have leaked.",
            _ => "It was not refused by a restriction.",
        };
        return why.to_owned();
    };
    let forbidden = Forbidden::of(
        &decision.effect,
        decision.profile.as_deref(),
        restriction.widened_at,
        decision.received_at,
    );
    let why = match forbidden {
        Forbidden::SensitiveRead => "sensitive reads, since it was widened",
        Forbidden::StrictRead => "reads of RAM and IMS, by the profile `strict`",
        Forbidden::Disclosure => "what shows a secret",
        Forbidden::Unknown => "what the catalogue does not know: it is judged like a change",
        Forbidden::Change => "what changes identities, credentials or permissions",
        Forbidden::Listed => "what the profile `strict` lists",
        Forbidden::Other => "this operation",
    };
    format!(
        "A restriction was in force on {}: it refuses {why}.",
        restriction.access_key_id
    )
}

fn to_pass(decision: &DecisionView, restriction: Option<&RestrictionView>) -> Vec<String> {
    let Some(restriction) = restriction else {
        return Vec::new();
    };
    let id = restriction.restriction_id;
    let is_session = decision.access_key_id != restriction.access_key_id;
    let mut ways = Vec::new();
    match restriction::State::parse(&restriction.state) {
        Some(restriction::State::Imposed) => {
            ways.push(format!(
                "The owner cleans up and confirms by the letter's link (or akgate restrictions confirm {id} --ticket NUMBER)."
            ));
            ways.push(format!(
                "Then an operator lifts it: akgate restrictions lift {id}."
            ));
        }
        Some(restriction::State::Remediated) => ways.push(format!(
            "The owner has confirmed; an operator lifts it: akgate restrictions lift {id}."
        )),
        Some(restriction::State::Lifted) if restriction.undone => ways.push(
            "It was undone, as if it had never been: the same call passes now, of a session too."
                .to_owned(),
        ),
        Some(restriction::State::Lifted) if is_session => ways.push(
            "It is lifted, but the session was asked for before: a new session passes.".to_owned(),
        ),
        Some(restriction::State::Lifted) => {
            ways.push("It is lifted: the same call passes now.".to_owned());
        }
        None => {}
    }
    if restriction.state != "Lifted" {
        ways.push(
            "Another AccessKey of the account, which has not leaked, passes at once.".to_owned(),
        );
    }
    ways
}
