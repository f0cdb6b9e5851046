use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::BodyExt;
use hyper_rustls::HttpsConnectorBuilder;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use akgate_state::clock::{Clock, SystemClock};

/// What a server does with one request.
#[derive(Clone, Copy)]
enum Does {
    /// Answers.
    Answers,
    /// Answers, and closes without a word of it.
    AnswersAndCloses,
    /// Closes in place of an answer.
    Closes,
    /// Answers the first request of a connection, and closes in place of the next answer.
    AnswersOnce,
    /// Begins an answer of which the rest never comes.
    AnswersHalf,
    /// Answers before the body of the request was read.
    AnswersEarly,
}

/// A server that does the same with each request, and counts.
struct Server {
    address: std::net::SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    /// Requests that say that they are sent once more.
    resent: Arc<AtomicUsize>,
}

impl Server {
    async fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, requests, resent) = (Arc::default(), Arc::default(), Arc::default());
        let server = Self {
            address,
            connections: Arc::clone(&connections),
            requests: Arc::clone(&requests),
            resent: Arc::clone(&resent),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let counts = (Arc::clone(&requests), Arc::clone(&resent));
                tokio::spawn(serve(stream, does, counts));
            }
        });
        server
    }

    fn client(&self) -> Connections {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        Connections::new(
            connector,
            format!("http://{}/", self.address).parse().unwrap(),
            Duration::from_secs(30),
        )
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn serve(
    mut stream: TcpStream,
    does: Does,
    (requests, resent): (Arc<AtomicUsize>, Arc<AtomicUsize>),
) {
    let mut head = Vec::new();
    let mut has_answered = false;
    loop {
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        if text.contains("x-akgate-resent: 1\r\n") {
            resent.fetch_add(1, Ordering::SeqCst);
        }
        head.clear();
        requests.fetch_add(1, Ordering::SeqCst);
        let answer: &[u8] = match does {
            Does::Closes => return,
            Does::AnswersOnce if has_answered => return,
            Does::AnswersHalf => b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal",
            _ => b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nyes\n",
        };
        stream.write_all(answer).await.unwrap();
        has_answered = true;
        match does {
            Does::AnswersAndCloses => return,
            Does::AnswersEarly => std::future::pending().await,
            _ => {}
        }
    }
}

fn request(body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::new(body.into());
    *request.uri_mut() = "/?a=b".parse().unwrap();
    let host = http::HeaderValue::from_static("upstream.example");
    request.headers_mut().insert(http::header::HOST, host);
    request
}

/// A deadline that does not pass.
fn never() -> Deadline {
    let clock = Arc::new(SystemClock);
    Deadline::new(clock.since_boot().after(Duration::from_secs(600)), clock)
}

async fn call(client: &Connections) -> Bytes {
    let answer = client.send(request(""), None, never()).await.unwrap();
    answer.into_body().collect().await.unwrap().to_bytes()
}

/// Lets the drivers of the connections see what has happened.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn connection_is_used_again_when_its_answer_was_read() {
    let server = Server::start(Does::Answers).await;
    let client = server.client();
    for _ in 0..20 {
        assert_eq!(call(&client).await, "yes\n");
    }
    assert_eq!((server.connections(), server.requests()), (1, 20));
    assert_eq!(call(&client.with_own_pool()).await, "yes\n");
    assert_eq!(server.connections(), 2, "its own pool");
}

#[tokio::test]
async fn calls_at_the_same_time_have_a_connection_each() {
    let server = Server::start(Does::Answers).await;
    let client = server.client();
    let (first, second) = tokio::join!(
        client.send(request(""), None, never()),
        client.send(request(""), None, never())
    );
    assert_eq!(server.connections(), 2);
    for answer in [first, second] {
        answer.unwrap().into_body().collect().await.unwrap();
    }
    assert_eq!(client.idle().len(), 2);
    call(&client).await;
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn closed_connection_is_not_used_again() {
    let server = Server::start(Does::AnswersAndCloses).await;
    let client = server.client();
    for _ in 0..5 {
        assert_eq!(call(&client).await, "yes\n");
        a_moment().await;
    }
    assert_eq!((server.connections(), server.requests()), (5, 5));
    assert!(client.idle().len() <= 1, "what is closed is not kept");
}

/// The server closes at the moment that the next call begins: some of these meet a connection that is just going.
#[tokio::test]
async fn no_call_is_sent_twice_and_none_is_lost_that_was_not_sent() {
    let server = Server::start(Does::AnswersAndCloses).await;
    let client = server.client();
    let mut answered = 0;
    for _ in 0..200 {
        let answer = client.send(request(""), None, never()).await;
        if let Ok(answer) = answer {
            answered += usize::from(answer.into_body().collect().await.is_ok());
        }
    }
    assert!(server.requests() <= 200, "a call was sent twice");
    assert_eq!(server.requests(), answered, "an answer was lost");
}

#[tokio::test]
async fn server_that_closes_in_place_of_an_answer_is_not_asked_again() {
    let server = Server::start(Does::Closes).await;
    assert!(
        server
            .client()
            .send(request(""), None, never())
            .await
            .is_err()
    );
    a_moment().await;
    assert_eq!((server.connections(), server.requests()), (1, 1));
}

#[tokio::test]
async fn read_is_sent_once_more_where_a_kept_connection_is_closed_in_place_of_its_answer() {
    let server = Server::start(Does::AnswersOnce).await;
    let client = server.client();
    let again = || {
        let mut again = request("");
        let once_more = http::HeaderValue::from_static("1");
        again.headers_mut().insert("x-akgate-resent", once_more);
        again
    };
    call(&client).await;
    let answer = client.send(request(""), Some(again()), never()).await;
    let body = answer.unwrap().into_body().collect().await;
    assert_eq!(body.unwrap().to_bytes(), "yes\n");
    assert_eq!((server.connections(), server.requests()), (2, 3));
    assert_eq!(server.resent.load(Ordering::SeqCst), 1);

    // What is not to be sent again is not.
    assert!(client.send(request(""), None, never()).await.is_err());
    assert_eq!((server.connections(), server.requests()), (2, 4));

    // A new connection that is closed is no kept one.
    let server = Server::start(Does::Closes).await;
    let client = server.client();
    let sent = client.send(request(""), Some(again()), never()).await;
    assert!(sent.is_err());
    assert_eq!((server.connections(), server.requests()), (1, 1));
}

#[tokio::test]
async fn connection_with_half_an_answer_is_closed() {
    let server = Server::start(Does::AnswersHalf).await;
    let client = server.client();
    let answer = client.send(request(""), None, never()).await.unwrap();
    drop(answer);
    assert_eq!(client.idle().len(), 0);
    client.send(request(""), None, never()).await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn connection_that_still_sends_is_left_alone() {
    let server = Server::start(Does::AnswersEarly).await;
    let client = server.client();
    let endless = Body::from_stream(futures_util::stream::pending::<Result<Bytes, hyper::Error>>());
    let mut post = request(endless);
    *post.method_mut() = http::Method::POST;
    let answer = client.send(post, None, never()).await.unwrap();
    answer.into_body().collect().await.unwrap();
    assert_eq!(client.idle().len(), 1);
    client.send(request(""), None, never()).await.unwrap();
    assert_eq!(server.connections(), 2, "each has its own");
}

#[tokio::test]
async fn old_connection_is_not_used_again() {
    let server = Server::start(Does::Answers).await;
    let client = server.client();
    call(&client).await;
    assert!(
        client
            .take_idle(Instant::now() + Duration::from_secs(30))
            .is_none()
    );
    assert_eq!(client.idle().len(), 0);
}
