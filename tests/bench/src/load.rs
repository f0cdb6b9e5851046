//! The load: connections that are kept, each with one request under way; and the origin, which answers every
//! request with the same few bytes. All of it on one thread.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinSet, LocalSet, spawn_local},
};

/// A kept connection to a proxy.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// That of the system.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(8192),
        })
    }

    /// Sends a request and reads the answer to its end; returns the status.
    ///
    /// # Errors
    /// That of the system, and for an answer without a length.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some((status, length)) = head(&self.buffer)?
                && self.buffer.len() >= length
            {
                return Ok(status);
            }
        }
    }
}

/// Status of an answer, and how long head and body are together; `None` where the head is not there yet.
fn head(bytes: &[u8]) -> io::Result<Option<(u16, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let bad = || io::Error::other("an answer that is none");
    let text = std::str::from_utf8(bytes.get(..end).unwrap_or_default()).map_err(|_| bad())?;
    let status = text
        .get(9..12)
        .and_then(|status| status.parse().ok())
        .ok_or_else(bad)?;
    let length = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .ok_or_else(bad)?;
    Ok(Some((status, end + 4 + length)))
}

/// What a window of load has done.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// Answers.
    pub answers: u64,
    /// Answers of another status than expected, and one of them.
    pub unexpected: u64,
    /// How long it took.
    pub took: Duration,
    /// Times from when a request was due to its answer, where the load was open.
    pub latencies: Vec<Duration>,
}

/// Sends requests one after the other on every connection until the time is over or they are used up.
///
/// # Errors
/// That of the system.
pub async fn closed(
    connections: &mut Vec<Connection>,
    requests: Vec<Vec<u8>>,
    expected: u16,
    length: Duration,
) -> io::Result<Window> {
    let requests = Rc::new(RefCell::new(requests));
    let unexpected = Rc::new(Cell::new(0));
    let answers = Rc::new(Cell::new(0));
    let began = Instant::now();
    let local = LocalSet::new();
    let mut tasks = JoinSet::new();
    for mut connection in std::mem::take(connections) {
        let (requests, unexpected) = (Rc::clone(&requests), Rc::clone(&unexpected));
        let answers = Rc::clone(&answers);
        let send = async move {
            while began.elapsed() < length {
                let Some(request) = requests.borrow_mut().pop() else {
                    break;
                };
                let status = connection.exchange(&request).await?;
                answers.set(answers.get() + 1);
                unexpected.set(unexpected.get() + u64::from(status != expected));
            }
            Ok::<_, io::Error>(connection)
        };
        tasks.spawn_local_on(send, &local);
    }
    let done = local.run_until(async {
        let mut kept = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            kept.push(ended.map_err(io::Error::other)??);
        }
        Ok::<_, io::Error>(kept)
    });
    *connections = done.await?;
    Ok(Window {
        answers: answers.get(),
        unexpected: unexpected.get(),
        took: began.elapsed(),
        latencies: Vec::new(),
    })
}

/// Sends `rate` requests a second, whether or not answers have come, as long as there are requests.
///
/// # Errors
/// That of the system.
pub async fn open(
    connections: &mut Vec<Connection>,
    requests: Vec<Vec<u8>>,
    expected: u16,
    rate: f64,
) -> io::Result<Window> {
    let free = Rc::new(RefCell::new(VecDeque::from(std::mem::take(connections))));
    let result = Rc::new(RefCell::new(Window::default()));
    let began = Instant::now();
    let local = LocalSet::new();
    local
        .run_until(async {
            let mut tasks = JoinSet::new();
            for (n, request) in requests.into_iter().enumerate() {
                let due = began + Duration::from_secs_f64(n as f64 / rate);
                // The timer is coarse: the last bit is waited for by giving way.
                if let Some(early) =
                    due.checked_duration_since(Instant::now() + Duration::from_millis(2))
                {
                    tokio::time::sleep(early).await;
                }
                while Instant::now() < due {
                    tokio::task::yield_now().await;
                }
                let mut connection = loop {
                    // In turn, so that none is idle for long and closed.
                    let one = free.borrow_mut().pop_front();
                    match one {
                        Some(connection) => break connection,
                        None => tokio::task::yield_now().await,
                    }
                };
                let (free, result) = (Rc::clone(&free), Rc::clone(&result));
                tasks.spawn_local(async move {
                    let status = connection.exchange(&request).await?;
                    let mut result = result.borrow_mut();
                    result.latencies.push(due.elapsed());
                    result.answers += 1;
                    result.unexpected += u64::from(status != expected);
                    free.borrow_mut().push_back(connection);
                    Ok::<_, io::Error>(())
                });
            }
            while let Some(ended) = tasks.join_next().await {
                ended.map_err(io::Error::other)??;
            }
            Ok::<_, io::Error>(())
        })
        .await?;
    *connections = free.take().into();
    let mut window = result.take();
    window.took = began.elapsed();
    Ok(window)
}

/// Keeps this thread from sleeping. A proxy that is slow would else pay for waking it on every answer, and a fast one
/// would not.
pub async fn stay_awake() {
    loop {
        tokio::task::yield_now().await;
    }
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 92\r\n\r\n\
    {\"RequestId\":\"00000000-0000-0000-0000-000000000000\",\"IsTruncated\":false,\"Users\":{\"User\":[]}}";

/// Answers every request alike, for ever.
///
/// # Errors
/// That of the system.
pub async fn origin(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        spawn_local(serve(stream));
    }
}

async fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer: Vec<u8> = Vec::with_capacity(8192);
    loop {
        let length = loop {
            if let Some(length) = request_length(&buffer)
                && buffer.len() >= length
            {
                break length;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        buffer.drain(..length);
        stream.write_all(ANSWER).await?;
    }
}

fn request_length(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let body = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .unwrap_or_default();
    Some(end + 4 + body)
}
