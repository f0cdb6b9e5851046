//! What the rules cost: a request read and verified, a verdict, a look-up.

#![allow(
    clippy::unwrap_used,
    reason = "a measurement that cannot be made stops"
)]

use std::hint::black_box;

use akgate_bench::sign::{self, Call, Kind};
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    operation::{Blocklist, Catalogue},
    position::{BootInstant, History, Position},
    request::{ApiRequest, RawRequest},
    signature,
    verdict::{self, DecisionBasis, DecisionFacts, Policy, Profile, Standing},
};
use akgate_state::live::memory::LiveRegistry;
use criterion::{Criterion, criterion_group, criterion_main};
use time::OffsetDateTime;
use uuid::Uuid;

const SECRET: &str = "FakeSecretOfTheBench";

fn raw(kind: Kind) -> RawRequest {
    let call = Call {
        key: akgate_client::signer::SigningCredentials {
            access_key_id: "LTAI5tFakeOfTheBench".to_owned(),
            access_key_secret: SECRET.to_owned(),
            security_token: None,
        },
        action: "GetUser",
        kind,
    };
    let bytes = call.request(OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000));
    sign::raw(&bytes).unwrap()
}

fn verify(c: &mut Criterion) {
    let secret = AccessKeySecret::new(SECRET.to_owned());
    for kind in Kind::ALL {
        let raw = raw(kind);
        c.bench_function(&format!("read and verify {}", kind.as_str()), |b| {
            b.iter(|| {
                let request = ApiRequest::parse(black_box(&raw)).unwrap();
                signature::verify_signature(request, &secret).unwrap()
            });
        });
    }
}

fn decide(c: &mut Criterion) {
    let (catalogue, strict) = (Catalogue::built_in().unwrap(), Blocklist::strict().unwrap());
    let operation = catalogue.operation("2015-05-01", "CreateUser").unwrap();
    let lineage = [Standing::Clear, Standing::Restricted(Uuid::nil())];
    let facts = DecisionFacts {
        operation: &operation,
        lineage: &lineage,
        profile: Profile::default(),
        policy: Policy::default(),
        remedies_itself: false,
        is_excepted: false,
        now: OffsetDateTime::UNIX_EPOCH,
        basis: DecisionBasis {
            position: Position {
                history: History(Uuid::nil()),
                revision: 1,
            },
            since: BootInstant::default(),
            is_leased: true,
        },
    };
    c.bench_function("verdict", |b| {
        b.iter(|| verdict::decide_call(&strict, black_box(&facts)));
    });
    c.bench_function("classify", |b| {
        b.iter(|| catalogue.operation(black_box("2015-05-01"), black_box("CreateUser")));
    });
}

fn standing(c: &mut Criterion) {
    let id = |n: usize| AccessKeyId::parse(&format!("LTAI5tFake{n:014}")).unwrap();
    let restricted = (0..100_000).map(|n| (id(n), Uuid::nil()));
    let live = LiveRegistry::of_restrictions(100_000, restricted);
    let (hit, miss) = (id(77), id(1_000_000));
    c.bench_function("standing of a restricted key", |b| {
        b.iter(|| live.lineage(black_box(&hit), &[]));
    });
    c.bench_function("standing of a clean key", |b| {
        b.iter(|| live.lineage(black_box(&miss), &[]));
    });
}

criterion_group!(rules, verify, decide, standing);
criterion_main!(rules);
