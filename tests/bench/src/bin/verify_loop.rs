//! Verifies one signed request so often: what callgrind counts. `verify_loop acs3|rpc N`.

#![allow(clippy::print_stdout, reason = "it prints how many held")]

use akgate_bench::sign::{Call, Kind, raw};
use akgate_client::signer::SigningCredentials;
use akgate_rules::{access_key::AccessKeySecret, request::ApiRequest, signature};
use akgate_state::clock::{Clock, SystemClock};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let kind = match arguments.next().as_deref() {
        Some("rpc") => Kind::RpcGet,
        _ => Kind::Acs3Get,
    };
    let count: usize = arguments
        .next()
        .and_then(|count| count.parse().ok())
        .unwrap_or(1);
    let call = Call {
        key: SigningCredentials {
            access_key_id: "LTAI5tFakeOfTheBench".to_owned(),
            access_key_secret: "FakeSecretOfTheBench".to_owned(),
            security_token: None,
        },
        action: "GetUser",
        kind,
    };
    let bytes = call.request(SystemClock.now());
    let Some(raw) = raw(&bytes) else {
        std::process::exit(1);
    };
    let secret = AccessKeySecret::new(call.key.access_key_secret);
    let held = (0..count)
        .filter(|_| {
            ApiRequest::parse(&raw)
                .is_ok_and(|request| signature::verify_signature(request, &secret).is_ok())
        })
        .count();
    println!("{held}");
}
