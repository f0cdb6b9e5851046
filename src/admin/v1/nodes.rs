//! `GET /admin/v1/nodes`: the processes that serve, and what each enforces.

use axum::{Json as Answer, extract::State};

use crate::{
    context::AdminApi,
    http::{authentication::CanRead, problem::Problem, responses::CommonFaults},
};
use akgate_api::nodes::Nodes;
use akgate_state::live::nodes;

/// List nodes
///
/// The running processes: version, roles, the revision each enforces, lease or fence, the ids of its key ring, and the
/// difference between its clock and the database's.
#[utoipa::path(
    get,
    path = "/admin/v1/nodes",
    operation_id = "listNodes",
    tag = "nodes",
    responses((status = 200, description = "All nodes.", body = Nodes), CommonFaults)
)]
pub async fn list_nodes(
    State(admin): State<AdminApi>,
    _: CanRead,
) -> Result<Answer<Nodes>, Problem> {
    let nodes = admin.query(nodes::list_nodes(&admin.pool)).await?;
    Ok(Answer(Nodes { nodes }))
}
