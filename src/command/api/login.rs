//! `akgate login`: signs in at the identity provider in the browser (RFC 8252) and gets a token.

use std::{
    env, fs,
    future::IntoFuture,
    io::{self, Write},
    path::Path,
    time::Duration,
};

use axum::{
    Router,
    extract::{Query, State},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::StatusCode;
use rand::Rng;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

use super::{
    answers::rfc3339,
    client::{AdminClient, ApiFault, ClientSetupFault},
    command::ApiCommand,
    output::OutputPrinter,
    profile::Connection,
};
use crate::command::CommandExit;
use akgate_admin::REDIRECT_PATH;
use akgate_api::{operators::NewTokenReceipt, sign_in::SignInPage};
use akgate_net::private_file::replace_private_file;
use akgate_state::randomness::Randomness;

/// How long a person may take at the provider's page.
const SIGN_IN_TIMEOUT: Duration = Duration::from_secs(300);

/// Sign in with your identity provider in the browser, and get a token for some hours
///
/// Requires a provider (admin.oidc). The token is written to the configured token file (--token-file, AKGATE_TOKEN_FILE
/// or `token_file` of the profile), or to standard output if there is none.
#[derive(Debug, Clone, clap::Args)]
pub struct LoginArgs {
    /// The port for the browser to return to, if your provider needs a fixed one; by default, a free port
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// The values that tie the browser's response to this command.
struct SignInSecrets {
    state: String,
    nonce: String,
    code_verifier: String,
}

/// What a browser comes back with (RFC 6749, sections 4.1.2 and 4.1.2.1).
#[derive(Debug, Deserialize)]
struct RedirectQuery {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

impl ApiCommand for LoginArgs {
    async fn execute<W: Write>(
        &self,
        client: &AdminClient,
        shown: &mut OutputPrinter<'_, W>,
        err: &mut impl Write,
    ) -> Result<CommandExit, ApiFault> {
        let ties = SignInSecrets::new(&Randomness::from_system().map_err(io::Error::other)?);
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await;
        let listener = listener.map_err(|fault| {
            ApiFault::Here(format!("port {} of this machine", self.port), fault)
        })?;
        let redirect_uri = format!("http://{}{REDIRECT_PATH}", listener.local_addr()?);
        let wanted = [
            ("redirect_uri", redirect_uri.clone()),
            ("state", ties.state.clone()),
            ("nonce", ties.nonce.clone()),
            ("code_challenge", ties.challenge()),
        ];
        let page = client.get("sign-in", &wanted).await?;
        let page = SignInPage::deserialize(page)?;
        writeln!(
            err,
            "Open this page in a browser on this machine, and sign in:\n"
        )?;
        writeln!(err, "  {}\n", page.authorization_url)?;
        let back = timeout(SIGN_IN_TIMEOUT, await_redirect(listener, &ties.state)).await;
        let code = match back {
            Ok(Ok(code)) => code,
            Ok(Err(said)) => {
                writeln!(err, "error: the provider reports: {said}")?;
                return Ok(CommandExit::Denied);
            }
            Err(_) => {
                writeln!(
                    err,
                    "error: nobody signed in within {} s",
                    SIGN_IN_TIMEOUT.as_secs()
                )?;
                writeln!(err, "next: akgate login")?;
                return Ok(CommandExit::Failed);
            }
        };
        let body = json!({
            "code": code,
            "code_verifier": ties.code_verifier,
            "nonce": ties.nonce,
            "redirect_uri": redirect_uri,
        });
        let receipt = client.post_without_retry("sign-in", &body).await?;
        let receipt = NewTokenReceipt::deserialize(receipt)?;
        let token = receipt.token.as_deref().unwrap_or_default();
        match &client.token_file {
            Some(file) => {
                let name = file.display();
                if let Err(fault) = write_token_file(file, token) {
                    writeln!(err, "error: {name}: {fault}")?;
                    writeln!(
                        err,
                        "next: store the token yourself, it is shown only once:"
                    )?;
                    writeln!(shown.out, "{token}")?;
                    return Ok(CommandExit::Failed);
                }
                writeln!(err, "{} The token is in {name}.", sign_in_message(&receipt))?;
                if env::var_os("AKGATE_TOKEN").is_some() {
                    writeln!(
                        err,
                        "AKGATE_TOKEN is set and overrides that file: unset it."
                    )?;
                }
            }
            None => {
                writeln!(
                    err,
                    "{} The token is shown only once:",
                    sign_in_message(&receipt)
                )?;
                writeln!(shown.out, "{token}")?;
            }
        }
        Ok(CommandExit::Ok)
    }

    /// Who signs in has no token yet.
    fn client(connection: &Connection) -> Result<AdminClient, ClientSetupFault> {
        AdminClient::without_token(connection)
    }
}

fn sign_in_message(receipt: &NewTokenReceipt) -> String {
    let until = rfc3339(receipt.expires_at);
    format!("You are {}, {} until {until}.", receipt.name, receipt.role)
}

impl SignInSecrets {
    fn new(randomness: &Randomness) -> Self {
        let mut rng = randomness.rng();
        let mut text = || {
            let mut bytes = [0; 32];
            rng.fill_bytes(&mut bytes);
            BASE64_URL_SAFE_NO_PAD.encode(bytes)
        };
        Self {
            state: text(),
            nonce: text(),
            code_verifier: text(),
        }
    }

    /// RFC 7636, section 4.2.
    fn challenge(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&self.code_verifier))
    }
}

/// Waits for the browser and returns the code, or the provider's error. A request without the right state is refused
/// and does not end the wait, because any program on this machine can send one.
async fn await_redirect(listener: TcpListener, state: &str) -> Result<String, String> {
    let (sender, mut receiver) = mpsc::channel(1);
    let page = Router::new()
        .route(REDIRECT_PATH, get(handle_redirect))
        .with_state((state.to_owned(), sender));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = axum::serve(listener, page).with_graceful_shutdown(async {
        stopped.await.ok();
    });
    let serving = tokio::spawn(serving.into_future());
    let came = receiver.recv().await;
    // The page is shown to its end.
    drop(stop);
    timeout(Duration::from_secs(2), serving).await.ok();
    came.unwrap_or_else(|| Err("nothing".to_owned()))
}

type RedirectState = (String, mpsc::Sender<Result<String, String>>);

async fn handle_redirect(
    State((state, sender)): State<RedirectState>,
    Query(back): Query<RedirectQuery>,
) -> Response {
    let came = match back {
        RedirectQuery { state: given, .. } if given.as_deref() != Some(&state) => {
            return (
                StatusCode::BAD_REQUEST,
                "This is not the expected response.",
            )
                .into_response();
        }
        RedirectQuery {
            code: Some(code),
            error: None,
            ..
        } => Ok(code),
        RedirectQuery { error, .. } => {
            let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
            let error = error.unwrap_or_default();
            Err(error.chars().filter(plain).take(64).collect())
        }
    };
    let text = match came {
        Ok(_) => "You can close this page and return to the terminal.",
        Err(_) => "The provider refused. See the terminal for the reason.",
    };
    sender.try_send(came).ok();
    Html(format!(
        "<!doctype html><meta charset=\"utf-8\"><title>akgate</title><p>{text}"
    ))
    .into_response()
}

fn write_token_file(file: &Path, token: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    replace_private_file(file, format!("{token}\n").as_bytes())
}
