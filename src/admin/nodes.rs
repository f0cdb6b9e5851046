//! `GET /admin/v1/nodes`: the processes that serve, and what each enforces.

use axum::{Json as Answer, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Admin, Problem, auth::Reader, openapi::Faults};
use akgate_state::{
    directory::within,
    live::nodes::{self, NodeView},
};

/// All nodes.
#[derive(Serialize, ToSchema)]
pub struct Nodes {
    /// By name.
    nodes: Vec<NodeView>,
}

/// List nodes
///
/// The processes that serve: version, roles, up to where each enforces, lease or fenced, ids of its key ring, and how far
/// its clock is from the database's.
#[utoipa::path(
    get,
    path = "/admin/v1/nodes",
    operation_id = "listNodes",
    tag = "nodes",
    responses((status = 200, description = "All of them.", body = Nodes), Faults)
)]
pub async fn list(State(admin): State<Admin>, _: Reader) -> Result<Answer<Nodes>, Problem> {
    let nodes = within(admin.timeout, nodes::list(&admin.pool)).await?;
    Ok(Answer(Nodes { nodes }))
}
