//! The mail server of a drill: it takes every letter, and counts how often it was given each.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::Result;

/// How often each letter was taken, by its Message-ID without angle brackets.
type Copies = Arc<Mutex<HashMap<String, usize>>>;

/// The server. It ends when it is dropped.
#[derive(Debug)]
pub struct MailServer {
    address: SocketAddr,
    copies: Copies,
    listening: JoinHandle<()>,
}

impl MailServer {
    /// Listens on a free port.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let copies = Copies::default();
        let taken = Arc::clone(&copies);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let taken = Arc::clone(&taken);
                // A client that is killed in the middle has not given its letter.
                tokio::spawn(async move { drop(converse(client, &taken).await) });
            }
        });
        Ok(Self {
            address,
            copies,
            listening,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often each letter was taken, by its Message-ID without angle brackets.
    #[must_use]
    pub fn copies(&self) -> HashMap<String, usize> {
        let copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        copies.clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn converse(client: TcpStream, copies: &Copies) -> std::io::Result<()> {
    let mut client = BufReader::new(client);
    client.write_all(b"220 drill\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if client.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let verb = line.split_whitespace().next().unwrap_or_default();
        let answer: &[u8] = match verb.to_ascii_uppercase().as_str() {
            "EHLO" => b"250-drill\r\n250 8BITMIME\r\n",
            "DATA" => b"354 go on\r\n",
            "QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        client.write_all(answer).await?;
        if verb.eq_ignore_ascii_case("DATA") {
            let message_id = read_letter(&mut client).await?;
            // Taken, whether or not the client lives to hear of it.
            note_letter(copies, message_id);
            client.write_all(b"250 taken\r\n").await?;
        }
    }
}

/// Reads a letter to its final dot; returns its Message-ID.
async fn read_letter(client: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut message_id = String::new();
    let mut line = String::new();
    loop {
        line.clear();
        if client.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            return Ok(message_id);
        }
        if message_id.is_empty()
            && let Some(value) = line.strip_prefix("Message-ID: ")
        {
            let brackets = ['<', '>'];
            message_id = value.trim().trim_matches(brackets).to_owned();
        }
    }
}

fn note_letter(copies: &Copies, message_id: String) {
    let mut copies = copies.lock().unwrap_or_else(PoisonError::into_inner);
    *copies.entry(message_id).or_default() += 1;
}
