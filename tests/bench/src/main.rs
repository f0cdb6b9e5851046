//! `./dev bench`: what a verified call costs, akgate beside other proxies in one run.
//!
//! Proxies run on one core, load and origin on the other. Windows of plain nginx and of a peer alternate; what a
//! request costs is the CPU time of the proxy's process in a window by the answers in it, and the ratio is taken
//! within each pair, so that a machine that is slower for a minute is so for both.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it prints what it measured"
)]

use akgate::postgres::{Durability, PostgresOptions, PrivatePostgres};
use akgate_bench::{
    cpu,
    load::{self, Connection, Window},
    peers::{Peer, Stage},
    report::{Added, Cost, Mutations, Report, Served},
    sign::{Call, Kind},
    stats::{median, microseconds, quantile},
};
use akgate_client::signer::SigningCredentials;
use akgate_state::clock::{Clock, SystemClock};
use clap::Parser;
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tokio::net::TcpListener;

/// Measures what a verified call costs.
#[derive(Debug, Parser)]
struct Args {
    /// The akgate to measure, built optimised
    #[arg(long)]
    akgate: PathBuf,
    /// Envoy, where there is one
    #[arg(long)]
    envoy: Option<PathBuf>,
    /// Pairs of windows for each peer
    #[arg(long, default_value_t = 40)]
    pairs: usize,
    /// Only akgate beside nginx
    #[arg(long)]
    short: bool,
    /// Where the results are written as JSON
    #[arg(long)]
    json: PathBuf,
    /// The page to write
    #[arg(long)]
    page: Option<PathBuf>,
    /// The picture to draw
    #[arg(long)]
    picture: Option<PathBuf>,
}

type Failed = Box<dyn Error>;

/// Connections to each proxy.
const CONNECTIONS: usize = 32;

/// A window of closed load.
const WINDOW: Duration = Duration::from_millis(200);

/// Requests a second of open load.
const RATE: f64 = 2000.0;

/// A window of open load, in requests.
const OPEN: usize = 2000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let args = Args::parse();
    tokio::task::LocalSet::new().run_until(run(&args)).await
}

async fn run(args: &Args) -> Result<(), Failed> {
    let folder = std::env::temp_dir().join(format!("akgate-bench-{}", uuid::Uuid::new_v4()));
    fs::create_dir_all(&folder)?;
    let done = measure(args, &folder).await;
    drop(fs::remove_dir_all(&folder));
    let report = done?;
    fs::write(&args.json, serde_json::to_vec_pretty(&report)?)?;
    println!("{}", report.table());
    if let Some(page) = &args.page {
        report.write_page(page)?;
    }
    if let Some(picture) = &args.picture {
        fs::write(picture, report.picture())?;
    }
    Ok(())
}

async fn measure(args: &Args, folder: &Path) -> Result<Report, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = listener.local_addr()?;
    tokio::task::spawn_local(load::origin(listener));
    tokio::task::spawn_local(load::stay_awake());
    let key = |id: &str| SigningCredentials {
        access_key_id: id.to_owned(),
        access_key_secret: format!("FakeSecretOf{id}"),
        security_token: None,
    };
    let (clean, leaked) = (
        key("LTAI5tFakeCleanOfTheBench"),
        key("LTAI5tFakeLeakedOfTheBench"),
    );
    let postgres = PrivatePostgres::start(&PostgresOptions {
        data: None,
        tuning: Durability::Durable,
    })?;
    let stage = Stage {
        folder: folder.to_owned(),
        origin,
        key: clean.clone(),
    };
    let (config, gateway, metrics) = stage.configure(&postgres.url("postgres"))?;
    fill(args, folder, &config, &postgres, [&clean, &leaked]).await?;

    let nginx = stage.nginx()?;
    let mut akgate = stage.akgate(&args.akgate, &config, gateway)?;
    akgate.metrics = Some(metrics);
    let call = |key: &SigningCredentials, action, kind| Call {
        key: key.clone(),
        action,
        kind,
    };
    let mut costs = Vec::new();
    for kind in Kind::ALL {
        let call = call(&clean, "GetUser", kind);
        costs.push(pairs(&nginx, &akgate, &call, 200, args.pairs, kind.as_str()).await?);
    }
    let refused = call(&leaked, "CreateUser", Kind::Acs3Get);
    costs.push(
        pairs(
            &nginx,
            &akgate,
            &refused,
            403,
            args.pairs,
            "refused, ACS3 GET",
        )
        .await?,
    );
    let read = call(&clean, "GetUser", Kind::Acs3Get);
    if !args.short {
        let lua = stage.lua()?;
        costs.push(pairs(&nginx, &lua, &read, 200, args.pairs, "ACS3 GET").await?);
        let post = call(&clean, "GetUser", Kind::Acs3Post);
        costs.push(pairs(&nginx, &lua, &post, 200, args.pairs, "ACS3 POST 1 KiB").await?);
        drop(lua);
        match &args.envoy {
            Some(program) => {
                let envoy = stage.envoy(program)?;
                costs.push(pairs(&nginx, &envoy, &read, 200, args.pairs, "ACS3 GET").await?);
            }
            None => eprintln!("no Envoy: it is left out"),
        }
    }
    let added = added(&nginx, &akgate, &read, args.pairs / 4).await?;
    let served = served(&akgate, &read).await?;
    let mutations = mutations(&akgate, &call(&clean, "CreateUser", Kind::Acs3Get)).await?;
    let resident = cpu::resident(akgate.pid());
    Ok(Report {
        costs,
        added,
        served,
        mutations,
        resident,
    })
}

/// Imports the keys and restricts the second.
async fn fill(
    args: &Args,
    folder: &Path,
    config: &Path,
    postgres: &PrivatePostgres,
    keys: [&SigningCredentials; 2],
) -> Result<(), Failed> {
    let file = folder.join("keys.csv");
    let mut text = "account_id,user_name,access_key_id,access_key_secret\n".to_owned();
    for (n, key) in keys.iter().enumerate() {
        text.push_str(&format!(
            "5123456789012345,user{n},{},{}\n",
            key.access_key_id, key.access_key_secret
        ));
    }
    fs::write(&file, text)?;
    let done = Command::new(&args.akgate)
        .args(["keys", "import"])
        .arg(&file)
        .arg("--config")
        .arg(config)
        .output()?;
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stderr).into());
    }
    let pool = sqlx::PgPool::connect(&postgres.url("postgres")).await?;
    sqlx::query(
        "INSERT INTO restrictions (restriction_id, access_key_id, state, cause, imposed_at, revision)
         VALUES ($1, $2, 'Imposed', 'Reported', now(), 1)",
    )
    .bind(uuid::Uuid::now_v7())
    .bind(&keys[1].access_key_id)
    .execute(&pool)
    .await?;
    pool.close().await;
    Ok(())
}

async fn connect(peer: &Peer) -> Result<Vec<Connection>, Failed> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Connection::open(peer.address).await?);
    }
    Ok(connections)
}

fn requests(call: &Call, count: usize) -> Vec<Vec<u8>> {
    let now = SystemClock.now();
    (0..count).map(|_| call.request(now)).collect()
}

/// A window of closed load: microseconds of CPU per answer.
async fn window(
    peer: &Peer,
    connections: &mut Vec<Connection>,
    call: &Call,
    expected: u16,
    count: &mut usize,
) -> Result<(f64, Window), Failed> {
    let requests = requests(call, *count);
    let before = cpu::nanoseconds(peer.pid());
    let window = load::closed(connections, requests, expected, WINDOW).await?;
    let spent = cpu::nanoseconds(peer.pid()) - before;
    if window.unexpected > 0 {
        let told = format!(
            "{}: {} answers of another status",
            peer.name, window.unexpected
        );
        return Err(told.into());
    }
    // Signed ahead for the next window: half as many again as this one took.
    *count = usize::try_from(window.answers)? * 3 / 2 + 64;
    Ok((spent as f64 / 1000.0 / window.answers as f64, window))
}

async fn pairs(
    nginx: &Peer,
    peer: &Peer,
    call: &Call,
    expected: u16,
    pairs: usize,
    what: &str,
) -> Result<Cost, Failed> {
    let (mut to_nginx, mut to_peer) = (connect(nginx).await?, connect(peer).await?);
    let (mut nginx_count, mut peer_count) = (2_000, 2_000);
    let (mut ratios, mut own, mut plain, mut rates) = (vec![], vec![], vec![], vec![]);
    for n in 0..pairs + 2 {
        let (base, _) = window(nginx, &mut to_nginx, call, 200, &mut nginx_count).await?;
        let (cost, window) = window(peer, &mut to_peer, call, expected, &mut peer_count).await?;
        // The first windows warm up.
        if n >= 2 {
            ratios.push(cost / base);
            own.push(cost);
            plain.push(base);
            rates.push(window.answers as f64 / window.took.as_secs_f64());
        }
    }
    let of = |values: &[f64]| median(values).ok_or("no window was measured");
    let cost = Cost {
        peer: peer.name.to_owned(),
        what: what.to_owned(),
        ratio: of(&ratios)?,
        micros: of(&own)?,
        nginx_micros: of(&plain)?,
        per_second: of(&rates)?.value,
        pairs: ratios.len(),
        ratios,
    };
    eprintln!(
        "{:<28} {:<18} {:.2} [{:.2}-{:.2}] of nginx, {:.1} µs",
        cost.peer, cost.what, cost.ratio.value, cost.ratio.low, cost.ratio.high, cost.micros.value
    );
    Ok(cost)
}

/// The median time that akgate adds to nginx's at an open load.
async fn added(nginx: &Peer, akgate: &Peer, call: &Call, pairs: usize) -> Result<Added, Failed> {
    let (mut to_nginx, mut to_akgate) = (connect(nginx).await?, connect(akgate).await?);
    let (mut plain, mut own, mut differences) = (vec![], vec![], vec![]);
    for n in 0..pairs.max(5) + 1 {
        let base = load::open(&mut to_nginx, requests(call, OPEN), 200, RATE).await?;
        let with = load::open(&mut to_akgate, requests(call, OPEN), 200, RATE).await?;
        if n == 0 {
            continue;
        }
        let p50 = |window: &Window| quantile(&microseconds(&window.latencies), 0.5);
        let (base, with) = (
            p50(&base).unwrap_or_default(),
            p50(&with).unwrap_or_default(),
        );
        plain.push(base);
        own.push(with);
        differences.push(with - base);
    }
    let of = |values: &[f64]| median(values).ok_or("no window was measured");
    Ok(Added {
        rate: RATE,
        nginx_p50_micros: of(&plain)?.value,
        akgate_p50_micros: of(&own)?.value,
        added_micros: of(&differences)?,
    })
}

/// What akgate's own histogram says of an open load.
async fn served(akgate: &Peer, call: &Call) -> Result<Served, Failed> {
    let mut connections = connect(akgate).await?;
    let before = histogram(akgate).await?;
    for _ in 0..5 {
        load::open(&mut connections, requests(call, OPEN), 200, RATE).await?;
    }
    let after = histogram(akgate).await?;
    let counted: Vec<(f64, f64)> = after
        .iter()
        .zip(&before)
        .map(|((bound, after), (_, before))| (*bound, after - before))
        .collect();
    let total = counted.last().map(|(_, count)| *count).unwrap_or_default();
    let below = |part: f64| {
        let found = counted.iter().find(|(_, count)| *count >= part * total);
        found.map_or(f64::INFINITY, |(bound, _)| bound * 1e6)
    };
    Ok(Served {
        rate: RATE,
        calls: total,
        p50_micros_below: below(0.5),
        p99_micros_below: below(0.99),
    })
}

/// Bounds and counts of the time from the head of a call to its answer.
async fn histogram(akgate: &Peer) -> Result<Vec<(f64, f64)>, Failed> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = akgate.metrics.ok_or("akgate has metrics")?;
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let request = "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let bucket = "akgate_call_duration_seconds_bucket{le=\"";
    Ok(text
        .lines()
        .filter_map(|line| line.strip_prefix(bucket)?.split_once("\"} "))
        .filter_map(|(bound, count)| {
            let bound = if bound == "+Inf" {
                f64::INFINITY
            } else {
                bound.parse().ok()?
            };
            Some((bound, count.trim().parse().ok()?))
        })
        .collect())
}

/// Mutations: each is one durable commit before it is forwarded.
async fn mutations(akgate: &Peer, call: &Call) -> Result<Mutations, Failed> {
    let mut connections = connect(akgate).await?;
    let mut rates = vec![];
    for _ in 0..6 {
        let window = load::closed(
            &mut connections,
            requests(call, 20_000),
            200,
            Duration::from_secs(1),
        )
        .await?;
        if window.unexpected > 0 {
            return Err("a mutation was not forwarded".into());
        }
        rates.push(window.answers as f64 / window.took.as_secs_f64());
    }
    rates.remove(0);
    Ok(Mutations {
        connections: CONNECTIONS,
        per_second: median(&rates).ok_or("no window was measured")?,
    })
}
