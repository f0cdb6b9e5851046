//! One connection to a listener: raw bytes out, whole answers in.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long an answer may take, or the end of a connection in place of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a server that has to wait is given to answer all the same.
const SILENCE: Duration = Duration::from_millis(300);

/// An answer.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// What tells one kind of answer from another: the status, and what a fault says.
    pub fn kind(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        let named = ["Code", "detail", "title"]
            .iter()
            .find_map(|name| body[*name].as_str());
        format!("{} {}", self.status, named.unwrap_or_default())
            .trim_end()
            .to_owned()
    }
}

pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: &str) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            buffer: Vec::new(),
        }
    }

    /// Sends bytes; the server may have closed before it took them all.
    pub async fn send(&mut self, bytes: &[u8]) {
        let sending = timeout(PATIENCE, self.stream.write_all(bytes));
        drop(sending.await.expect("the server takes the bytes or closes"));
    }

    /// The next answer; none where the connection ends instead, and where the server is silent although it may be.
    pub async fn answer(&mut self, has_body: bool, may_be_silent: bool) -> Option<Answer> {
        let patience = if may_be_silent { SILENCE } else { PATIENCE };
        match timeout(patience, self.read_answer(has_body)).await {
            Ok(answer) => answer,
            Err(_) if may_be_silent => None,
            Err(_) => panic!("no answer: {}", String::from_utf8_lossy(&self.buffer)),
        }
    }

    /// What was received and is no answer that was asked for.
    pub fn rest(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    async fn fill(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.buffer).await;
        read.is_ok_and(|read| read > 0)
    }

    async fn read_answer(&mut self, has_body: bool) -> Option<Answer> {
        loop {
            let head = self.read_until(b"\r\n\r\n").await?;
            let head = String::from_utf8(head).unwrap();
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            let mut answer = Answer {
                status,
                head,
                body: String::new(),
            };
            if status < 200 {
                continue;
            }
            if has_body && status != 204 {
                answer.body = self.read_body(&answer).await?;
            }
            return Some(answer);
        }
    }

    async fn read_body(&mut self, answer: &Answer) -> Option<String> {
        let mut body = Vec::new();
        if answer.header("transfer-encoding").is_some() {
            loop {
                let line = self.read_until(b"\r\n").await?;
                let size = std::str::from_utf8(&line).unwrap().trim();
                let size = usize::from_str_radix(size, 16).unwrap();
                body.extend(self.read_exactly(size).await?);
                self.read_exactly(2).await?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = answer.header("content-length") {
            body = self.read_exactly(length.parse().unwrap()).await?;
        }
        Some(String::from_utf8_lossy(&body).into_owned())
    }

    async fn read_until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            let found = self.buffer.windows(end.len()).position(|part| part == end);
            if let Some(at) = found {
                return Some(self.buffer.drain(..at + end.len()).collect());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    async fn read_exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.buffer.drain(..count).collect())
    }
}
