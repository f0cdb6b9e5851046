//! `akgate verify`: judges one raw request, as the gateway would, and shows every stage.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::CommandExit;
use akgate_gateway::wire;
use akgate_net::received_body::BodyLimits;
use akgate_rules::{
    access_key::{AccessKeySecret, SecurityToken},
    fault::Fault,
    operation::Catalogue,
    request::{ApiRequest, RawRequest},
    signature::{self, CanonicalForm, CredentialHandling, SignedPrint, VerifiedRequest, freshness},
};

/// Verify one raw HTTP/1.1 request; print scheme, canonical request, string to sign, the request as forwarded,
/// verdict and first fault. Checks only parsing, freshness and MAC.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// The time of the verification [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    at: Option<OffsetDateTime>,
    /// File with the AccessKeySecret
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "secret",
        required_unless_present = "secret"
    )]
    secret_file: Option<PathBuf>,
    /// The AccessKeySecret; prefer a file, which keeps it out of the process list
    #[arg(long)]
    secret: Option<String>,
    /// The SecurityToken issued with the key [default: the one in the request]
    #[arg(long, value_name = "TOKEN")]
    security_token: Option<String>,
    /// File with the client's own string to sign: shows the first byte that differs
    #[arg(long, value_name = "FILE")]
    client_string: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// The request, or - for standard input
    file: PathBuf,
}

fn parse_time(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "write the time as 2026-11-24T12:00:00Z".to_owned())
}

/// Runs the command; `now` stands in for a missing `--at`.
///
/// # Errors
/// The output cannot be written to.
pub fn run_verify(
    args: &VerifyArgs,
    now: OffsetDateTime,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<CommandExit> {
    let inputs = match VerifyInputs::read(args) {
        Ok(inputs) => inputs,
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            return Ok(CommandExit::Usage);
        }
    };
    let report = verify_request(&inputs, args.at.unwrap_or(now));
    if args.json {
        serde_json::to_writer(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        report.print(out)?;
    }
    if let Some(client) = &inputs.client_string {
        let target: &mut dyn Write = if args.json { err } else { out };
        print_difference(report.string_to_sign.as_deref(), client, target)?;
    }
    Ok(match report.verdict {
        VerifyVerdict::Valid => CommandExit::Ok,
        VerifyVerdict::Refused => CommandExit::Failed,
    })
}

struct VerifyInputs {
    request: Bytes,
    secret: AccessKeySecret,
    security_token: Option<SecurityToken>,
    client_string: Option<String>,
}

impl VerifyInputs {
    fn read(args: &VerifyArgs) -> Result<Self, String> {
        let secret = match (&args.secret, &args.secret_file) {
            (Some(secret), _) => secret.clone(),
            (None, Some(file)) => read_text(file)?.trim_end_matches(['\r', '\n']).to_owned(),
            (None, None) => return Err("pass --secret-file or --secret".to_owned()),
        };
        Ok(Self {
            request: Bytes::from(read_bytes(&args.file)?),
            secret: AccessKeySecret::new(secret),
            security_token: args.security_token.clone().map(SecurityToken::new),
            client_string: args
                .client_string
                .as_deref()
                .map(read_text)
                .transpose()?
                .map(|text| text.trim_end_matches(['\r', '\n']).to_owned()),
        })
    }
}

fn read_bytes(file: &Path) -> Result<Vec<u8>, String> {
    let read = if file == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(file)
    };
    read.map_err(|fault| format!("{}: {fault}", file.display()))
}

fn read_text(file: &Path) -> Result<String, String> {
    String::from_utf8(read_bytes(file)?).map_err(|_| format!("{}: not UTF-8", file.display()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum VerifyVerdict {
    Valid,
    Refused,
}

/// The answer; the names of its members are a contract.
#[derive(Serialize)]
struct VerifyReport {
    verdict: VerifyVerdict,
    scheme: Option<&'static str>,
    access_key_id: Option<String>,
    product: Option<String>,
    version: Option<String>,
    action: Option<String>,
    effect: Option<String>,
    canonical_request: Option<String>,
    string_to_sign: Option<String>,
    fault: Option<FaultReport>,
    forwarded: Option<ForwardedRequest>,
}

#[derive(Serialize)]
struct FaultReport {
    code: String,
    status: u16,
    message: String,
}

#[derive(Serialize)]
struct ForwardedRequest {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body_base64: String,
}

fn verify_request(inputs: &VerifyInputs, now: OffsetDateTime) -> VerifyReport {
    let mut report = VerifyReport {
        verdict: VerifyVerdict::Refused,
        scheme: None,
        access_key_id: None,
        product: None,
        version: None,
        action: None,
        effect: None,
        canonical_request: None,
        string_to_sign: None,
        fault: None,
        forwarded: None,
    };
    let outcome = parse_request(inputs.request.clone())
        .and_then(|raw| ApiRequest::parse(&raw))
        .and_then(|request| {
            report.describe(&request);
            check_signature(request, inputs, now)
        });
    match outcome {
        Ok(verified) => {
            report.verdict = VerifyVerdict::Valid;
            if let Some(canonical) = verified.canonical() {
                report.show(canonical);
            }
            report.forwarded = Some(verified.print(CredentialHandling::Keep).into());
        }
        Err(fault) => {
            report.fault = Some(FaultReport {
                code: fault.code().into_owned(),
                status: fault.status().as_u16(),
                message: fault.message().into_owned(),
            });
        }
    }
    report
}

/// Reads the request on a runtime of its own: the command has no other use for one.
fn parse_request(request: Bytes) -> Result<RawRequest, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|_| Fault::Internal("no runtime"))?;
    runtime.block_on(wire::read_single_request(request, BodyLimits::default()))
}

/// Freshness, then the session's token, then the MAC: the gateway's order without its directory.
fn check_signature(
    request: ApiRequest,
    inputs: &VerifyInputs,
    now: OffsetDateTime,
) -> Result<VerifiedRequest, Fault> {
    let Some(claim) = &request.claim else {
        return Err(Fault::Missing("AccessKeyId"));
    };
    freshness::check_freshness(claim.signed_at, now)?;
    match (&claim.security_token, &inputs.security_token) {
        (None, _) if claim.access_key_id.is_session() => {
            return Err(Fault::Missing("SecurityToken"));
        }
        (None, Some(_)) => return Err(Fault::Missing("SecurityToken")),
        (Some(carried), Some(issued)) if carried != issued => {
            return Err(Fault::SecurityTokenMismatch);
        }
        (Some(_) | None, Some(_) | None) => {}
    }
    signature::verify_signature(request, &inputs.secret)
}

impl VerifyReport {
    fn describe(&mut self, request: &ApiRequest) {
        self.scheme = Some(request.scheme.name());
        self.access_key_id = request
            .claim
            .as_ref()
            .map(|claim| claim.access_key_id.as_str().to_owned());
        self.version = Some(request.operation.version.clone());
        self.action = request.operation.action.clone();
        let operation = request.operation.action.as_deref().and_then(|action| {
            let catalogue = Catalogue::built_in().ok()?;
            catalogue.operation(&request.operation.version, action)
        });
        if let Some(operation) = operation {
            self.product = Some(operation.product().code().to_owned());
            self.effect = operation
                .effect()
                .is_known()
                .then(|| operation.effect().as_str().to_owned());
        }
        if let Some(canonical) = signature::canonical_form(request) {
            self.show(&canonical);
        }
    }

    fn show(&mut self, canonical: &CanonicalForm) {
        self.canonical_request
            .clone_from(&canonical.canonical_request);
        self.string_to_sign = Some(canonical.string_to_sign.clone());
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut line = |name: &str, value: Option<&str>| match value {
            Some(value) if value.contains('\n') => {
                writeln!(out, "{name}:")?;
                value
                    .lines()
                    .try_for_each(|line| writeln!(out, "    {line}"))
            }
            Some(value) => writeln!(out, "{name}: {value}"),
            None => Ok(()),
        };
        line("scheme", self.scheme)?;
        line("access key id", self.access_key_id.as_deref())?;
        line("product", self.product.as_deref())?;
        line("version", self.version.as_deref())?;
        line("action", self.action.as_deref())?;
        line("effect", self.effect.as_deref())?;
        line("canonical request", self.canonical_request.as_deref())?;
        line("string to sign", self.string_to_sign.as_deref())?;
        if let Some(forwarded) = &self.forwarded {
            let mut text = format!("{} {}\n", forwarded.method, forwarded.target);
            for (name, value) in &forwarded.headers {
                text.push_str(&format!("{name}: {value}\n"));
            }
            line("forwarded", Some(&text))?;
        }
        match &self.fault {
            None => line("verdict", Some("valid")),
            Some(fault) => {
                line("verdict", Some("refused"))?;
                let said = format!("{} {} {}", fault.status, fault.code, fault.message);
                line("fault", Some(&said))
            }
        }
    }
}

impl From<SignedPrint> for ForwardedRequest {
    fn from(printed: SignedPrint) -> Self {
        Self {
            method: printed.method.to_string(),
            target: printed.target,
            headers: printed
                .headers
                .into_iter()
                .filter(|(name, _)| name != "host")
                .collect(),
            body_base64: STANDARD.encode(&printed.body),
        }
    }
}

/// Names the first byte in which the client's string to sign differs from ours, and the SDK's fault
/// where it is a known one.
fn print_difference(ours: Option<&str>, client: &str, out: &mut dyn Write) -> io::Result<()> {
    let Some(ours) = ours else {
        return writeln!(
            out,
            "client string: the request yields no string to sign to compare with"
        );
    };
    let differs = ours
        .bytes()
        .map(Some)
        .chain(std::iter::once(None))
        .zip(client.bytes().map(Some).chain(std::iter::once(None)))
        .position(|(our, their)| our != their);
    let Some(at) = differs else {
        return writeln!(out, "client string: same as ours");
    };
    writeln!(out, "client string: differs from ours at byte {at}")?;
    let around = |text: &str| {
        let from = at.saturating_sub(12);
        let part: Vec<u8> = text.bytes().skip(from).take(32).collect();
        String::from_utf8_lossy(&part).escape_debug().to_string()
    };
    writeln!(out, "    ours:   …{}…", around(ours))?;
    writeln!(out, "    client: …{}…", around(client))?;
    if let Some(bug) = known_sdk_bug(ours, client) {
        writeln!(out, "    known bug: {bug}")?;
    }
    Ok(())
}

/// Faults of shipped SDKs that show as a difference between the two strings.
fn known_sdk_bug(ours: &str, client: &str) -> Option<&'static str> {
    if ours.replace("%2520", "%252B") == client {
        return Some(
            "the client signs a space as + (quote_plus); alibabacloud_credentials for Python 1.0.12 \
             does so with a session policy that holds spaces: write the policy without spaces",
        );
    }
    if ours.replace("%2520", "%2B") == client {
        return Some(
            "the client signs the form as sent on the wire: a space must be signed as %20",
        );
    }
    if ours.eq_ignore_ascii_case(client) {
        return Some(
            "the client writes percent escapes in lower case: they must be signed in upper case",
        );
    }
    None
}
