//! The handlers behind the gateways, in the drill's own process: they say yes, and note the moment each call reached them.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, extract::Request};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    Result,
    clock::{Clock, Moment},
};

/// What the mark of a call begins with, in whichever parameter it stands.
const MARK: &str = "drill-";

/// The mark of a call, for a parameter of it.
#[must_use]
pub fn mark(call: u64) -> String {
    format!("{MARK}{call}")
}

/// When each call reached it.
type Reached = Arc<Mutex<HashMap<u64, Moment>>>;

/// The recorder. It ends when it is dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    reached: Reached,
    serving: JoinHandle<()>,
}

impl Upstream {
    /// Listens on a free port.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn start(clock: Clock) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let reached = Reached::default();
        let records = Arc::clone(&reached);
        let handlers = Router::new().fallback(move |request: Request| {
            let now = clock.now();
            let call = call_of(request.uri().query().unwrap_or_default());
            if let Some(call) = call {
                let mut records = records.lock().unwrap_or_else(PoisonError::into_inner);
                records.entry(call).or_insert(now);
            }
            async move { axum::Json(answer(call.unwrap_or_default())) }
        });
        let serving = tokio::spawn(async move {
            drop(axum::serve(listener, handlers).await);
        });
        Ok(Self {
            address,
            reached,
            serving,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// When a call reached it first; `None` where it never did.
    #[must_use]
    pub fn reached(&self, call: u64) -> Option<Moment> {
        let reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.get(&call).copied()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What any of the actions could say: a node learns of a new AccessKey from its answer.
fn answer(call: u64) -> Value {
    json!({
        "RequestId": "drill",
        "Users": { "User": [] },
        "User": { "UserId": call.to_string(), "UserName": mark(call) },
        "AccessKey": {
            "AccessKeyId": format!("LTAI5tMade{call:08}"),
            "AccessKeySecret": format!("FakeSecretMade{call:08}"),
            "Status": "Active",
            "CreateDate": "2026-11-26T12:00:00Z",
        },
    })
}

fn call_of(query: &str) -> Option<u64> {
    query.split('&').find_map(|pair| {
        let (_, value) = pair.split_once('=')?;
        value.strip_prefix(MARK)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::{call_of, mark};

    #[test]
    fn mark_is_found_in_any_parameter() {
        let query = format!("Action=x&AppSecretId={}&Z=1", mark(17));
        assert_eq!(call_of(&query), Some(17));
        assert_eq!(call_of("UserName=someone"), None);
    }
}
