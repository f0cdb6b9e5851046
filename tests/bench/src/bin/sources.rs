//! `./dev sources`: how soon a leak that a source delivers is enforced, and how fast a file is taken. Prints figures;
//! judges none: machines differ.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

use std::{
    error::Error,
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use akgate::postgres::{Durability, PostgresOptions, PrivatePostgres};
use akgate_bench::{
    signer::{Signer, publish},
    stats::quantile,
};
use akgate_client::signer::{ApiCall, ApiReply, SigningClient, SigningCredentials, sign_request};
use akgate_state::clock::{Clock, SystemClock};
use bytes::Bytes;
use clap::Parser;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Measures the leak road.
#[derive(Debug, Parser)]
struct Args {
    /// The akgate to measure, built optimised
    #[arg(long)]
    akgate: PathBuf,
    /// How long deliveries arrive, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Deliveries a second
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// Lines of the file that is imported
    #[arg(long, default_value_t = 1_000_000)]
    lines: usize,
}

type Failed = Box<dyn Error + Send + Sync>;

/// A pair by its number.
fn pair(n: usize) -> SigningCredentials {
    SigningCredentials {
        access_key_id: format!("LTAI5tFake{n:010}"),
        access_key_secret: format!("FakeSecretForBench{n:010}xY"),
        security_token: None,
    }
}

/// A running akgate; killed at the end.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct World {
    caller: SigningClient,
    signer: Signer,
    gateway: String,
    public: String,
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let args = Args::parse();
    let folder = std::env::temp_dir().join(format!("akgate-sources-{}", uuid::Uuid::new_v4()));
    fs::create_dir_all(&folder)?;
    let done = measure(&args, &folder).await;
    drop(fs::remove_dir_all(&folder));
    done
}

fn free() -> Result<SocketAddr, Failed> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

async fn measure(args: &Args, folder: &Path) -> Result<(), Failed> {
    let postgres = PrivatePostgres::start(&PostgresOptions {
        data: None,
        tuning: Durability::Durable,
    })?;
    let signer = Signer::new()?;
    let keys_url = publish(&signer).await?;
    let ring = folder.join("key-ring");
    fs::write(
        &ring,
        format!("seal 1 {}\nindex {}\n", "01".repeat(32), "02".repeat(32)),
    )?;
    let [gateway, public, admin, telemetry] = [free()?, free()?, free()?, free()?];
    let config = folder.join("akgate.toml");
    fs::write(
        &config,
        format!(
            "[database]\nurl = \"{}\"\ntimeout_seconds = 60\n[directory]\nkey_ring_file = {ring:?}\n\
             [gateway]\nlisten = \"{gateway}\"\n[public]\nlisten = \"{public}\"\nurl = \"http://localhost\"\n\
             [admin]\nlisten = \"{admin}\"\n[telemetry]\nlisten = \"{telemetry}\"\n\
             [upstreams.ram]\nurl = \"sandbox\"\n[mail]\nfrom = \"a@example.com\"\ntransport = \"folder\"\nfolder = {:?}\n\
             [sources]\nsuspected_per_hour = 100000000\n\
             [[sources.signed]]\nname = \"github\"\npreset = \"github\"\nkeys_url = \"{keys_url}\"\n",
            postgres.url("postgres"),
            folder.join("letters"),
        ),
    )?;
    let deliveries = usize::try_from(args.rate * args.seconds)?;
    let count = deliveries * 2 + 20_000;
    import_keys(args, folder, &config, count)?;
    let mut child = Command::new(&args.akgate)
        .args(["serve", "--roles", "gateway,public", "--config"])
        .arg(&config)
        .stderr(Stdio::piped())
        .spawn()?;
    let log = child.stderr.take().ok_or("no log")?;
    std::thread::spawn(move || BufReader::new(log).lines().count());
    let running = Running(child);
    let world = Arc::new(World {
        caller: SigningClient::default(),
        signer,
        gateway: format!("http://{gateway}"),
        public: format!("http://{public}"),
    });
    wait_for(&world).await?;
    warm_up(&world, count).await?;
    arrivals(&world, args, 0, false).await?;
    arrivals(&world, args, deliveries, true).await?;
    large(&world, deliveries * 2).await?;
    drop(running);
    import_file(args, folder, &config, deliveries * 2 + 10_000)
}

fn import_keys(args: &Args, folder: &Path, config: &Path, count: usize) -> Result<(), Failed> {
    let mut csv =
        String::from("account_id,user_name,access_key_id,access_key_secret,owner_email\n");
    for n in 0..count {
        let SigningCredentials {
            access_key_id,
            access_key_secret,
            ..
        } = pair(n);
        writeln!(
            csv,
            "{},user{n},{access_key_id},{access_key_secret},owner{n}@example.com",
            5_000_000_000_000_000 + n
        )?;
    }
    let file = folder.join("keys.csv");
    fs::write(&file, csv)?;
    let done = Command::new(&args.akgate)
        .args(["keys", "import"])
        .arg(&file)
        .arg("--config")
        .arg(config)
        .output()?;
    match done.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&done.stderr).into()),
    }
}

async fn wait_for(world: &World) -> Result<(), Failed> {
    for _ in 0..500 {
        if deliver(world, &json!([]))
            .await
            .is_ok_and(|reply| reply.status == 200)
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err("akgate does not serve".into())
}

async fn deliver(world: &World, elements: &Value) -> Result<ApiReply, Failed> {
    let body = elements.to_string();
    let request = Request::post(format!("{}/v1/leaks/github", world.public))
        .header("github-public-key-identifier", &world.signer.id)
        .header(
            "github-public-key-signature",
            world.signer.sign(body.as_bytes())?,
        )
        .body(Full::from(Bytes::from(body)))?;
    Ok(world.caller.send(request).await?)
}

async fn create_user(world: &World, key: &SigningCredentials) -> Result<u16, Failed> {
    let api = ApiCall {
        version: "2015-05-01",
        action: "CreateUser",
        parameters: &[("UserName", "new")],
    };
    let request = sign_request(&world.gateway, key, api, SystemClock.now())?;
    Ok(world.caller.send(request).await?.status)
}

async fn warm_up(world: &World, count: usize) -> Result<(), Failed> {
    // A key of the last ones, which nothing is delivered of.
    let key = pair(count - 1);
    match create_user(world, &key).await? {
        403 => Err("a clean key is refused".into()),
        _ => Ok(()),
    }
}

/// Deliveries at a fixed rate, whether or not the earlier ones are answered; each of a pair of its own, which is refused
/// afterwards.
async fn arrivals(
    world: &Arc<World>,
    args: &Args,
    from: usize,
    beside_throw_aways: bool,
) -> Result<(), Failed> {
    let total = usize::try_from(args.rate * args.seconds)?;
    let every = Duration::from_secs(1) / args.rate;
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    let stop = Arc::new(tokio::sync::Notify::new());
    let noise = beside_throw_aways.then(|| {
        let (world, stop) = (Arc::clone(world), Arc::clone(&stop));
        tokio::spawn(async move { throw_aways(&world, &stop).await })
    });
    for n in 0..total {
        let due = began + every * u32::try_from(n)?;
        tokio::time::sleep_until(due.into()).await;
        let world = Arc::clone(world);
        tasks.spawn(async move {
            let key = pair(from + n);
            let url = format!("https://github.com/example/app/blob/main/{n}.env");
            let elements = json!([
                { "token": key.access_key_id, "type": "alibaba_cloud_access_key_id", "url": url, "source": "content" },
                { "token": key.access_key_secret, "type": "alibaba_cloud_access_key_secret", "url": url, "source": "content" },
            ]);
            let sent = Instant::now();
            let reply = deliver(&world, &elements).await?;
            let answered = sent.elapsed();
            if reply.status != 200 {
                return Err(format!("a delivery is answered with {}", reply.summary()).into());
            }
            match create_user(&world, &key).await? {
                403 => Ok::<_, Failed>((answered, sent.elapsed())),
                status => Err(format!("a restricted key gets {status}").into()),
            }
        });
    }
    let (mut answered, mut refused) = (Vec::new(), Vec::new());
    while let Some(one) = tasks.join_next().await {
        let (answer, refusal) = one??;
        answered.push(answer.as_secs_f64() * 1000.0);
        refused.push(refusal.as_secs_f64() * 1000.0);
    }
    stop.notify_one();
    let beside = match noise {
        Some(noise) => format!(", beside {} throw-away reports", noise.await??),
        None => String::new(),
    };
    println!(
        "{total} deliveries at {} a second{beside}: every key was refused by the call after the answer",
        args.rate
    );
    tell("  answered, restricted and enforced", answered);
    tell("  refused by a call after that", refused);
    Ok(())
}

/// Batches of 1,000 ids that nobody has, one after the other.
async fn throw_aways(world: &World, stop: &tokio::sync::Notify) -> Result<usize, Failed> {
    let mut count = 0;
    loop {
        let elements: Vec<Value> = (0..1000)
            .map(|n| json!({ "token": format!("LTAI5tFakeThrow{:09}", count + n), "type": "t", "url": "u" }))
            .collect();
        tokio::select! {
            () = stop.notified() => return Ok(count),
            reply = async { deliver(world, &json!(elements)).await } => {
                reply?;
                count += 1000;
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn tell(what: &str, mut millis: Vec<f64>) {
    millis.sort_by(f64::total_cmp);
    let of = |part| quantile(&millis, part).unwrap_or_default();
    println!(
        "{what}: p50 {:.1} ms, p99 {:.1} ms, at most {:.1} ms",
        of(0.5),
        of(0.99),
        of(1.0)
    );
}

/// One delivery of 10,000 elements, 5,000 of them pairs that are restricted by it.
async fn large(world: &World, from: usize) -> Result<(), Failed> {
    let elements: Vec<Value> = (0..10_000)
        .map(|n| match n % 2 {
            0 => json!({ "token": pair(from + n / 2).access_key_secret, "type": "t", "url": format!("u{n}") }),
            _ => json!({ "token": format!("LTAI5tFakeLarge{n:09}"), "type": "t", "url": format!("u{n}") }),
        })
        .collect();
    let sent = Instant::now();
    let reply = deliver(world, &json!(elements)).await?;
    println!(
        "10,000 elements, 5,000 keys restricted: answered with {} in {:.2} s",
        reply.status,
        sent.elapsed().as_secs_f64()
    );
    Ok(())
}

/// A file of findings, one in a hundred of which is a pair that is restricted by it.
fn import_file(args: &Args, folder: &Path, config: &Path, from: usize) -> Result<(), Failed> {
    let file = folder.join("findings.ndjson");
    let mut text = String::new();
    for n in 0..args.lines {
        let path = format!("app/{}/config.{n}.env", n % 1000);
        let finding = match n % 100 {
            0 => {
                let key = pair(from + n / 100);
                json!({ "access_key_id": key.access_key_id, "access_key_secret": key.access_key_secret,
                    "url": "https://git.example/app", "commit": "8d969eef6ecad3c29a3a629280e686cf0c3f5d5a", "path": path })
            }
            _ => json!({ "access_key_id": format!("LTAI5tFakeLine{n:09}"),
                "url": "https://git.example/app", "commit": "8d969eef6ecad3c29a3a629280e686cf0c3f5d5a", "path": path }),
        };
        writeln!(text, "{finding}")?;
    }
    fs::write(&file, text)?;
    for what in ["a file", "the same file again"] {
        let began = Instant::now();
        let mut child = Command::new(&args.akgate)
            .args(["reports", "import", "--json"])
            .arg(&file)
            .arg("--config")
            .arg(config)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut peak = 0;
        while child.try_wait()?.is_none() {
            peak = peak.max(resident(child.id()));
            std::thread::sleep(Duration::from_millis(20));
        }
        let took = began.elapsed().as_secs_f64();
        let told: Value = serde_json::from_reader(child.stdout.take().ok_or("no output")?)?;
        let of = |name| told.get(name).and_then(Value::as_u64).unwrap_or_default();
        println!(
            "{what} of {} lines: {took:.1} s, {:.0} lines a second, {} MiB at most; {} restricted, {} recorded before",
            args.lines,
            args.lines as f64 / took,
            peak >> 10,
            of("restricted"),
            of("known"),
        );
    }
    Ok(())
}

/// The largest resident set so far, in KiB.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or_default()
}
