//! A source of leak reports: signs deliveries and publishes its key.

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Why there is no source.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;

/// The key pair of the source.
pub struct Signer {
    pair: EcdsaKeyPair,
    pem: String,
    /// What its deliveries name the key by.
    pub id: String,
}

impl Signer {
    /// Makes one.
    ///
    /// # Errors
    /// Where the operating system gives no randomness.
    pub fn new() -> Result<Self, Failed> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
        let text = STANDARD.encode(pair.public_key().as_der()?.as_ref());
        let (first, second) = text.split_at_checked(64).ok_or("a short key")?;
        let pem =
            format!("-----BEGIN PUBLIC KEY-----\n{first}\n{second}\n-----END PUBLIC KEY-----\n");
        Ok(Self {
            id: hex::encode(Sha256::digest(&pem)),
            pair,
            pem,
        })
    }

    /// The signature of a body, as its header holds it.
    ///
    /// # Errors
    /// Where the operating system gives no randomness.
    pub fn sign(&self, body: &[u8]) -> Result<String, Failed> {
        let signature = self.pair.sign(&SystemRandom::new(), body)?;
        Ok(STANDARD.encode(signature.as_ref()))
    }
}

/// Publishes the key; returns the address.
///
/// # Errors
/// That of the socket.
pub async fn publish(signer: &Signer) -> Result<String, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/keys", listener.local_addr()?);
    let keys = serde_json::json!({ "public_keys": [
        { "key_identifier": signer.id, "key": signer.pem, "is_current": true }
    ] })
    .to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{keys}",
        keys.len()
    );
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = [0; 4096];
            if socket.read(&mut head).await.is_ok() {
                drop(socket.write_all(answer.as_bytes()).await);
            }
        }
    });
    Ok(url)
}
