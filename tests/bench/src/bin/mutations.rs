//! How many mutations a second one node takes, with PostgreSQL, load and a stand-in upstream on the same machine; and how
//! long leak reports take beside them.
//!
//! `mutations --akgate target/release/akgate` prints a row for each action. Each row is one window of closed load on kept
//! connections; every call has a name of its own, so that what the upstream makes is new.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

use std::{
    cell::RefCell,
    error::Error,
    fs, io,
    net::{SocketAddr, TcpListener as BlockingListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    rc::Rc,
    time::{Duration, Instant},
};

use akgate::postgres::{Durability, PostgresOptions, PrivatePostgres};
use akgate_bench::{
    cpu,
    load::Connection,
    stats::{microseconds, quantile},
};
use akgate_client::signer::{ApiCall, SigningCredentials, sign_request};
use akgate_state::clock::{Clock, SystemClock};
use clap::Parser;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinSet, LocalSet, spawn_local},
};

/// Measures how many mutations a second one node takes.
#[derive(Debug, Parser)]
struct Args {
    /// The akgate to measure, built optimised
    #[arg(long)]
    akgate: PathBuf,
    /// Connections
    #[arg(long, default_value_t = 128)]
    connections: usize,
    /// How long each action is measured
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Leak reports in a second beside each action
    #[arg(long, default_value_t = 10)]
    reports: u64,
}

type Failed = Box<dyn Error>;

/// Action, version and the parameters beside the one that has the name.
struct Measured {
    action: &'static str,
    version: &'static str,
    name: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    goal: f64,
}

const RAM: &str = "2015-05-01";
const STS: &str = "2015-04-01";

const ACTIONS: [Measured; 4] = [
    Measured {
        action: "AttachPolicyToUser",
        version: RAM,
        name: "UserName",
        parameters: &[("PolicyName", "ReadOnlyAccess"), ("PolicyType", "System")],
        goal: 3_000.0,
    },
    Measured {
        action: "CreateUser",
        version: RAM,
        name: "UserName",
        parameters: &[],
        goal: 2_000.0,
    },
    Measured {
        action: "AssumeRole",
        version: STS,
        name: "RoleSessionName",
        parameters: &[("RoleArn", "acs:ram::5123456789012345:role/r")],
        goal: 2_000.0,
    },
    Measured {
        action: "CreateAccessKey",
        version: RAM,
        name: "UserName",
        parameters: &[],
        goal: 2_000.0,
    },
];

/// Keys that are imported to be reported.
const REPORTED: usize = 4_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    LocalSet::new().run_until(measure(&Args::parse())).await
}

async fn measure(args: &Args) -> Result<(), Failed> {
    let folder = std::env::temp_dir().join(format!("akgate-mutations-{}", uuid::Uuid::new_v4()));
    fs::create_dir_all(&folder)?;
    let measured = measure_in(args, &folder).await;
    drop(fs::remove_dir_all(&folder));
    measured
}

async fn measure_in(args: &Args, folder: &Path) -> Result<(), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let upstream = listener.local_addr()?;
    spawn_local(answer_all(listener));
    let postgres = PrivatePostgres::start(&PostgresOptions {
        data: None,
        tuning: Durability::Durable,
    })?;
    let node = Node::start(args, folder, &postgres.url("postgres"), upstream)?;
    println!(
        "{} connections, {} s, {} reports a second beside",
        args.connections, args.seconds, args.reports
    );
    println!(
        "{:<20} {:>8} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9}  µs of CPU a call: akgate, PostgreSQL, load",
        "action", "a second", "goal", "p50 ms", "p99 ms", "reports", "p50 ms", "p99 ms"
    );
    let mut reported = 0;
    for measured in &ACTIONS {
        // The first window warms up.
        for length in [1, args.seconds] {
            let row = node
                .window(args, &postgres, measured, length, &mut reported)
                .await?;
            if length == args.seconds {
                println!("{row}");
            }
        }
    }
    Ok(())
}

/// A node of akgate. It ends when it is dropped.
struct Node {
    child: Child,
    gateway: SocketAddr,
    admin: SocketAddr,
    token: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn credentials(n: usize) -> SigningCredentials {
    SigningCredentials {
        access_key_id: format!("LTAI5tFakeMutations{n:06}"),
        access_key_secret: format!("FakeSecretOfMutations{n:06}"),
        security_token: None,
    }
}

impl Node {
    fn start(
        args: &Args,
        folder: &Path,
        database: &str,
        upstream: SocketAddr,
    ) -> Result<Self, Failed> {
        let free = || BlockingListener::bind("127.0.0.1:0")?.local_addr();
        let (gateway, admin, public) = (free()?, free()?, free()?);
        let ring = folder.join("key-ring");
        let (seal, index) = ("01".repeat(32), "02".repeat(32));
        fs::write(&ring, format!("seal 1 {seal}\nindex {index}\n"))?;
        let identity = "09".repeat(32);
        let letters = folder.join("letters");
        let mut text = format!(
            "[gateway]\nlisten = \"{gateway}\"\n[admin]\nlisten = \"{admin}\"\nrequests_per_second = 100000\n\
             [public]\nlisten = \"{public}\"\nurl = \"http://localhost:1\"\n\
             [telemetry]\nlisten = \"127.0.0.1:0\"\nlog_filter = \"warn,akgate::access=off\"\n\
             [mail]\ntransport = \"folder\"\nfolder = {letters:?}\nfrom = \"akgate <akgate@example.com>\"\n\
             [database]\nurl = {database:?}\n[directory]\nkey_ring_file = {ring:?}\n\
             [freshness]\nnonces_per_key = 50000000\n"
        );
        for product in ["ram", "sts"] {
            text.push_str(&format!(
                "[upstreams.{product}]\nurl = \"http://{upstream}\"\nidentity_key = \"{identity}\"\n"
            ));
        }
        let config = folder.join("akgate.toml");
        fs::write(&config, text)?;
        let keys = folder.join("keys.csv");
        let rows = (0..=REPORTED).map(|n| {
            let key = credentials(n);
            let (id, secret) = (key.access_key_id, key.access_key_secret);
            format!("5123456789012345,user{n},{id},{secret}\n")
        });
        let header = "account_id,user_name,access_key_id,access_key_secret\n".to_owned();
        fs::write(&keys, header + &rows.collect::<String>())?;
        let run = |arguments: &[&str]| -> Result<String, Failed> {
            let mut command = Command::new(&args.akgate);
            let done = command
                .args(arguments)
                .arg("--config")
                .arg(&config)
                .output()?;
            match done.status.success() {
                true => Ok(String::from_utf8(done.stdout)?.trim().to_owned()),
                false => Err(String::from_utf8_lossy(&done.stderr).into()),
            }
        };
        let token = run(&["operators", "add", "bench", "--role", "admin"])?;
        run(&["keys", "import", &keys.display().to_string()])?;
        let log = fs::File::create(folder.join("akgate.log"))?;
        let child = Command::new(&args.akgate)
            .args(["serve", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let node = Self {
            child,
            gateway,
            admin,
            token,
        };
        let until = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(gateway).is_err() {
            if Instant::now() > until {
                return Err("akgate does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(node)
    }

    fn requests(&self, measured: &Measured, count: usize) -> Result<Vec<Vec<u8>>, Failed> {
        let key = credentials(0);
        let host = format!("http://{}", self.gateway);
        let requests = (0..count).map(|_| {
            let name = uuid::Uuid::new_v4().simple().to_string();
            let mut parameters = measured.parameters.to_vec();
            parameters.push((measured.name, &name));
            let api = ApiCall {
                version: measured.version,
                action: measured.action,
                parameters: &parameters,
            };
            let request = sign_request(&host, &key, api, SystemClock.now())?;
            let target = request
                .uri()
                .path_and_query()
                .map_or("/", |one| one.as_str());
            let mut bytes = format!("{} {target} HTTP/1.1\r\n", request.method());
            for (name, value) in request.headers() {
                bytes.push_str(&format!("{name}: {}\r\n", value.to_str()?));
            }
            bytes.push_str("content-length: 0\r\n\r\n");
            Ok(bytes.into_bytes())
        });
        requests.collect()
    }

    async fn window(
        &self,
        args: &Args,
        postgres: &PrivatePostgres,
        measured: &Measured,
        seconds: u64,
        reported: &mut usize,
    ) -> Result<String, Failed> {
        let length = Duration::from_secs(seconds);
        let most = usize::try_from(seconds)? * 8_000;
        let requests = Rc::new(RefCell::new(self.requests(measured, most)?));
        let mut connections = Vec::new();
        for _ in 0..args.connections {
            connections.push(Connection::open(self.gateway).await?);
        }
        let pids = [
            self.child.id(),
            postgres.postmaster_pid(),
            std::process::id(),
        ];
        let spent = || pids.map(cpu::nanoseconds);
        let before = spent();
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for mut connection in connections {
            let requests = Rc::clone(&requests);
            tasks.spawn_local(async move {
                let mut latencies = Vec::new();
                while began.elapsed() < length {
                    let Some(request) = requests.borrow_mut().pop() else {
                        return Err(io::Error::other("too few requests were signed"));
                    };
                    let sent = Instant::now();
                    let status = connection.exchange(&request).await?;
                    if status != 200 {
                        return Err(io::Error::other(format!("a call was answered {status}")));
                    }
                    latencies.push(sent.elapsed());
                }
                Ok(latencies)
            });
        }
        let mut reports = JoinSet::new();
        let mut tick =
            tokio::time::interval(Duration::from_secs(1) / u32::try_from(args.reports.max(1))?);
        while args.reports > 0 && began.elapsed() < length {
            tick.tick().await;
            *reported += 1;
            let request = self.report(credentials(*reported).access_key_id.as_str());
            let admin = self.admin;
            reports.spawn_local(async move {
                let sent = Instant::now();
                let status = Connection::open(admin).await?.exchange(&request).await?;
                match status {
                    201 => Ok(sent.elapsed()),
                    _ => Err(io::Error::other(format!("a report was answered {status}"))),
                }
            });
        }
        let mut latencies = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            latencies.extend(ended??);
        }
        let took = began.elapsed();
        let after = spent();
        let mut waited = Vec::new();
        while let Some(ended) = reports.join_next().await {
            waited.push(ended??);
        }
        let (calls, waited) = (microseconds(&latencies), microseconds(&waited));
        let ms = |sorted: &[f64], part| quantile(sorted, part).unwrap_or_default() / 1000.0;
        let micros: Vec<String> = after
            .iter()
            .zip(before)
            .map(|(after, before)| {
                let spent = after.saturating_sub(before) as f64 / 1000.0;
                format!("{:.0}", spent / latencies.len() as f64)
            })
            .collect();
        Ok(format!(
            "{:<20} {:>8.0} {:>8.0} {:>9.1} {:>9.1} {:>9} {:>9.1} {:>9.1}  {}",
            measured.action,
            latencies.len() as f64 / took.as_secs_f64(),
            measured.goal,
            ms(&calls, 0.5),
            ms(&calls, 0.99),
            waited.len(),
            ms(&waited, 0.5),
            ms(&waited, 0.99),
            micros.join(", ")
        ))
    }

    fn report(&self, access_key_id: &str) -> Vec<u8> {
        let body = format!(
            "{{\"access_key_id\":\"{access_key_id}\",\"source\":\"bench\",\"reference\":\"{}\"}}",
            uuid::Uuid::new_v4()
        );
        format!(
            "POST /admin/v1/leak-reports HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.admin,
            self.token,
            body.len()
        )
        .into_bytes()
    }
}

/// The upstream: says that whatever it was asked for is made.
async fn answer_all(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        spawn_local(answer(stream));
    }
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer: Vec<u8> = Vec::with_capacity(8192);
    loop {
        let (end, body) = loop {
            if let Some(head) = head(&buffer)
                && buffer.len() >= head.0 + head.1
            {
                break head;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let request = String::from_utf8_lossy(buffer.get(..end).unwrap_or_default());
        let answer = made(name_in(&request));
        buffer.drain(..end + body);
        let length = answer.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all((head + &answer).as_bytes()).await?;
    }
}

/// How long head and body are.
fn head(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    Some((end, length.unwrap_or_default()))
}

fn name_in(head: &str) -> &str {
    let target = head.split(' ').nth(1).unwrap_or_default();
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let named = query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        matches!(name, "UserName" | "RoleSessionName").then_some(value)
    });
    named.unwrap_or("nobody")
}

fn made(name: &str) -> String {
    serde_json::json!({
        "RequestId": "00000000-0000-0000-0000-000000000000",
        "User": { "UserId": name, "UserName": name },
        "AccessKey": {
            "AccessKeyId": format!("LTAI5tMade{name}"),
            "AccessKeySecret": format!("FakeSecretOf{name}"),
            "Status": "Active",
        },
        "AssumedRoleUser": { "Arn": format!("acs:ram::5123456789012345:role/r/{name}") },
        "Credentials": {
            "AccessKeyId": format!("STS.{name}"),
            "AccessKeySecret": format!("FakeSecretOf{name}"),
            "SecurityToken": format!("FakeTokenOf{name}"),
            "Expiration": "2099-01-01T00:00:00Z",
        },
    })
    .to_string()
}
