//! People who show a certificate (mutual TLS): through a real listener, by the command line.

use std::{path::PathBuf, time::Duration};

use akgate_admin::AdminSettings;
use akgate_net::{
    https::{BoundedClient, client_config},
    server::{ClientAuthority, ConnectionLimits, Listener, Tls},
};
use akgate_state::operators::store;
use http::StatusCode;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason,
    RevokedCertParams, SerialNumber, date_time_ymd,
};
use snapbox::cmd::{Command, OutputAssert};
use tokio::sync::watch;

use crate::{
    desk::Desk,
    harness::NOW,
    process::{AKGATE, Scratch},
    wait::eventually,
};

/// An authority of the test's.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Certificate and key of somebody, as files.
    fn sign(&self, scratch: &Scratch, name: &str, serial: u64) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (
            scratch.write(&format!("{serial}.pem"), &certificate.pem()),
            scratch.write(&format!("{serial}.key"), &key.serialize_pem()),
        )
    }

    fn revoke(&self, serials: &[u64]) -> String {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2036, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

struct Hall {
    desk: Desk,
    scratch: Scratch,
    people: Authority,
    server: String,
    crl: PathBuf,
    _stop: watch::Sender<bool>,
}

impl Hall {
    async fn new() -> Self {
        let desk = Desk::new().await;
        let scratch = Scratch::new();
        let house = Authority::new("house");
        let people = Authority::new("people");
        let (certificate, key) = house.sign(&scratch, "localhost", 1);
        scratch.write("house.pem", &house.pem);
        let crl = scratch.write("crl.pem", &people.revoke(&[99]));
        let clients = ClientAuthority {
            certificates: scratch.write("people.pem", &people.pem),
            revoked: Some(crl.clone()),
        };
        let tls = Tls::load(&certificate, &key, Some(clients)).unwrap();
        let address = "127.0.0.1:0".parse().unwrap();
        let listener = Listener::bind(address, Some(tls), ConnectionLimits::default()).unwrap();
        let server = format!("https://localhost:{}", listener.local_addr().port());
        let settings = AdminSettings {
            certificates: true,
            ..AdminSettings::default()
        };
        let admin = desk.node.node.admin(true, settings).unwrap();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(listener.serve(admin, stopped));
        Self {
            desk,
            scratch,
            people,
            server,
            crl,
            _stop: stop,
        }
    }

    fn akgate(
        &self,
        line: &str,
        token: &str,
        certificate: Option<&(PathBuf, PathBuf)>,
    ) -> OutputAssert {
        let mut command = Command::new(AKGATE)
            .args(line.split_whitespace())
            .env_clear()
            .env("HOME", self.scratch.path())
            .env("AKGATE_SERVER", &self.server)
            .env("AKGATE_CA", self.scratch.path().join("house.pem"))
            .timeout(Duration::from_secs(60));
        if !token.is_empty() {
            command = command.env("AKGATE_TOKEN", token);
        }
        if let Some((chain, key)) = certificate {
            command = command
                .env("AKGATE_CLIENT_CERT", chain)
                .env("AKGATE_CLIENT_KEY", key);
        }
        command.assert()
    }
}

fn said(assert: &OutputAssert) -> String {
    let output = assert.get_output();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    text(&output.stdout) + &text(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_names_the_operator_and_a_token_must_match_it() {
    let hall = Hall::new().await;
    let olga = hall.people.sign(&hall.scratch, "olga", 2);
    let told = hall.akgate("operators me -o json", "", Some(&olga));
    let told: serde_json::Value = serde_json::from_str(&said(&told.success())).unwrap();
    assert_eq!(
        (&told["name"], &told["role"], &told["token"]),
        (&"olga".into(), &"operator".into(), &serde_json::Value::Null)
    );
    // Their own token with it; a role that does not reach goes on not reaching.
    hall.akgate("operators me", &hall.desk.operator, Some(&olga))
        .success();
    let refused = hall.akgate("operators list", "", Some(&olga)).code(4);
    assert!(
        said(&refused).contains("needs the role `admin`"),
        "{}",
        said(&refused)
    );

    // A stolen token is worth nothing without its operator's certificate, or with another's.
    let alone = hall.akgate("operators me", &hall.desk.admin, None).code(4);
    assert!(
        said(&alone).contains("Operators need a client certificate"),
        "{}",
        said(&alone)
    );
    let other = hall
        .akgate("operators me", &hall.desk.admin, Some(&olga))
        .code(4);
    assert!(
        said(&other).contains("belongs to another operator"),
        "{}",
        said(&other)
    );

    // Programs go on with theirs; nobody is one by a certificate.
    let client = https(&hall);
    assert_eq!(
        notices(&hall, &client, &hall.desk.service).await,
        StatusCode::NOT_FOUND,
        "it may ask; there is no such account"
    );
    assert_eq!(
        notices(&hall, &client, &hall.desk.viewer).await,
        StatusCode::UNAUTHORIZED
    );
    let program = hall.people.sign(&hall.scratch, "message-centre", 3);
    let refused = hall.akgate("operators me", "", Some(&program)).code(4);
    assert!(
        said(&refused).contains("belongs to no operator"),
        "{}",
        said(&refused)
    );
    let nobody = hall.people.sign(&hall.scratch, "mallory", 4);
    hall.akgate("operators me", "", Some(&nobody)).code(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_that_is_foreign_or_revoked_is_refused() {
    let hall = Hall::new().await;
    let forged = Authority::new("people").sign(&hall.scratch, "ada", 5);
    let refused = hall
        .akgate("operators me", &hall.desk.admin, Some(&forged))
        .code(1);
    assert!(
        said(&refused).contains("does not respond"),
        "{}",
        said(&refused)
    );

    let ada = hall.people.sign(&hall.scratch, "ada", 6);
    hall.akgate("operators me", "", Some(&ada)).success();
    std::fs::write(&hall.crl, hall.people.revoke(&[99, 6])).unwrap();
    // It is read again within a second, or some on a busy machine.
    eventually("the revocation list is read again", async || {
        let tried = hall.akgate("operators me", "", Some(&ada));
        tried.get_output().status.code() == Some(1)
    })
    .await;
    let again = hall.people.sign(&hall.scratch, "ada", 7);
    hall.akgate("operators me", "", Some(&again)).success();

    // The operator is one no more: the certificate names nobody.
    let pool = hall.desk.node.database.pool();
    let by = akgate_state::audit::Actor::Akgate;
    let olga = hall.people.sign(&hall.scratch, "olga", 8);
    hall.akgate("operators me", "", Some(&olga)).success();
    store::revoke_operator(pool, "olga", &by, NOW)
        .await
        .unwrap();
    hall.akgate("operators me", "", Some(&olga)).code(4);
    let half = hall.akgate(
        "operators me --client-cert olga.pem",
        &hall.desk.admin,
        None,
    );
    assert!(said(&half.code(2)).contains("both"));
}

fn https(hall: &Hall) -> BoundedClient {
    let tls = client_config(Some(&hall.scratch.path().join("house.pem"))).unwrap();
    BoundedClient::new(tls, Duration::from_secs(10), 1 << 20)
}

async fn notices(hall: &Hall, client: &BoundedClient, token: &str) -> StatusCode {
    let request = http::Request::get(format!("{}/v1/accounts/nobody/notices", hall.server))
        .header("authorization", format!("Bearer {token}"));
    client.send(request, "").await.unwrap().status()
}
