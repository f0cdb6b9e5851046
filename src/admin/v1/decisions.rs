//! `GET /admin/v1/decisions/{request_id}`: why a call was refused, or not, and what would make it pass.

use axum::{Json as Answer, extract::State};
use uuid::Uuid;

use crate::{
    context::AdminApi,
    http::{authentication::CanRead, extract::Path, problem::Problem, responses::CommonFaults},
    v1::restrictions::find_restriction,
};
use akgate_api::{
    decisions::{DecisionExplanation, DecisionView},
    problem::ProblemDetails,
    restrictions::RestrictionView,
};
use akgate_rules::restriction;
use akgate_state::calls::{decision, why::RefusalReason};

/// Explain a decision
///
/// Looked up by the RequestId that the caller received. Refused calls and calls that change something are recorded one
/// by one; other reads that passed are only counted.
#[utoipa::path(
    get,
    path = "/admin/v1/decisions/{request_id}",
    operation_id = "getDecision",
    tag = "records",
    params(("request_id" = Uuid, Path, description = "The RequestId.")),
    responses(
        (status = 200, description = "The decision and the reason for it.", body = DecisionExplanation),
        (status = 404, description = "No such call is on record.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn explain_decision(
    State(admin): State<AdminApi>,
    _: CanRead,
    Path(request_id): Path<Uuid>,
) -> Result<Answer<DecisionExplanation>, Problem> {
    let finding = decision::find_decision(&admin.pool, request_id);
    let decision = admin.query(finding).await?;
    let decision = decision.ok_or_else(|| {
        Problem::not_found(
            "No call with this RequestId is on record. Reads that passed are only counted; refusals are recorded within a second.",
        )
    })?;
    let restriction = match decision.restriction_id {
        Some(id) => Some(find_restriction(&admin, id).await?),
        None => None,
    };
    Ok(Answer(DecisionExplanation {
        rule: describe_rule(&decision, restriction.as_ref()),
        to_pass: describe_remedies(&decision, restriction.as_ref()),
        decision,
        restriction,
    }))
}

fn describe_rule(decision: &DecisionView, restriction: Option<&RestrictionView>) -> String {
    let Some(restriction) = restriction else {
        let why = match decision.grounds.as_deref() {
            Some("clear") => {
                "No restriction was in force on the key or on a key that it descends from."
            }
            Some("harmless") => {
                "A restriction was in force, and its profile allows this operation."
            }
            Some("self-remedy") => "The leaked key disabled or deleted itself.",
            Some("excepted") => "A restriction was in force, and an exception allowed the call.",
            Some("off") => "The policy was off.",
            Some("anonymous") => "The call was not signed with an AccessKey.",
            _ => "No restriction refused the call.",
        };
        return why.to_owned();
    };
    let forbidden = RefusalReason::of(
        &decision.product,
        &decision.effect,
        decision.profile.as_deref(),
    );
    let why = match forbidden {
        RefusalReason::SensitiveRead => "sensitive reads, because it was widened",
        RefusalReason::StrictRead => "reads of RAM and IMS, under the profile `strict`",
        RefusalReason::Disclosure => "operations that return a secret",
        RefusalReason::Unknown => "operations that are not in the catalogue: they count as changes",
        RefusalReason::Change => "changes to identities, credentials and permissions",
        RefusalReason::Listed => "operations that the profile `strict` lists",
        RefusalReason::Other => "this operation",
    };
    let rule = format!(
        "A restriction was in force on {}: it refuses {why}.",
        restriction.access_key_id
    );
    match restriction.ancestor_restriction_id {
        Some(ancestor) => format!(
            "{rule} It was imposed because the key, or what the session came through, was made by the leaked key of restriction {ancestor}."
        ),
        None => rule,
    }
}

fn describe_remedies(
    decision: &DecisionView,
    restriction: Option<&RestrictionView>,
) -> Vec<String> {
    let Some(restriction) = restriction else {
        return Vec::new();
    };
    let id = restriction.restriction_id;
    let is_session = decision.access_key_id != restriction.access_key_id;
    let mut ways = Vec::new();
    match restriction.state.parse() {
        Ok(restriction::RestrictionState::Imposed) => {
            ways.push(format!(
                "The owner cleans up and confirms with the link in the letter (or: akgate restrictions confirm {id} --ticket NUMBER)."
            ));
            ways.push(match restriction.ancestor_restriction_id {
                Some(ancestor) => format!(
                    "An operator lifts it alone (akgate restrictions lift {id}), or with the leaked key's (akgate restrictions lift {ancestor} --with-descendants)."
                ),
                None => format!("Then an operator lifts it: akgate restrictions lift {id}."),
            });
        }
        Ok(restriction::RestrictionState::Confirmed) => ways.push(format!(
            "The owner has confirmed; an operator lifts it: akgate restrictions lift {id}."
        )),
        Ok(restriction::RestrictionState::Lifted) if restriction.undone => ways.push(
            "The restriction was undone, as if it had never existed: the same call passes now, from a session too."
                .to_owned(),
        ),
        Ok(restriction::RestrictionState::Lifted) if is_session => ways.push(
            "The restriction was lifted after this session was issued. Get a new session.".to_owned(),
        ),
        Ok(restriction::RestrictionState::Lifted) => {
            ways.push("The restriction is lifted: the same call passes now.".to_owned());
        }
        Err(_) => {}
    }
    if restriction.state != "Lifted" {
        ways.push(
            "Use another AccessKey of the account that has not leaked: its calls pass at once."
                .to_owned(),
        );
    }
    ways
}
