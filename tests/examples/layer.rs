//! A service of one's own behind akgate: leaked keys are refused, and the handler is told who calls.

use std::{env::var, error::Error, net::SocketAddr};

use akgate_gateway::{Gate, Identity};
use akgate_state::{
    database::{Database, DatabaseUrl},
    directory::sealing::KeyRing,
};
use axum::{Extension, Router};
use tokio::net::TcpListener;

async fn greet(Extension(caller): Extension<Identity>) -> String {
    let who = caller.principal.unwrap_or_default();
    format!("{who} calls {}", caller.action)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = DatabaseUrl::parse(&var("DATABASE_URL")?)?;
    let database = Database::connect(&url, "greet").await?;
    let ring = KeyRing::parse(&var("KEY_RING")?)?;
    let (gate, tasks) = Gate::builder(database, ring).build().await?;
    tokio::spawn(tasks.run(std::future::pending()));

    let app = Router::new().fallback(greet).layer(gate);
    let listener = TcpListener::bind(var("LISTEN")?).await?;
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, app).await?)
}
