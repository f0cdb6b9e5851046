//! A cluster: nodes, each behind a proxy of its own to one PostgreSQL, and the upstream behind all of them.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tokio::sync::Mutex;

use crate::{
    Result,
    clock::Clock,
    connections::Connections,
    desk::{Desk, Operators},
    keys,
    mail::MailServer,
    node::{Addresses, Node, State},
    postgres::{DATABASE, Postgres},
    process::Scratch,
    proxy::{Mode, Proxy},
    signer::Signer,
    upstream::Upstream,
};

/// What a cluster is made of.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The `akgate` to run.
    pub akgate: PathBuf,
    /// How many nodes.
    pub nodes: usize,
    /// Which of them listen for PostgreSQL's notifications; the rest poll alone.
    pub notified: Notified,
    /// How many keys are imported.
    pub keys: usize,
    /// Whether PostgreSQL has a standby.
    pub standby: bool,
    /// Which hosts the nodes know.
    pub hosts: Hosts,
    /// How long a node waits for the database, in seconds.
    pub database_timeout: u64,
    /// Whether nodes send letters as well, to a mail server of the drill's own.
    pub worker: bool,
    /// Whether nodes have the public listener as well.
    pub public: bool,
}

impl Settings {
    /// A cluster of so many nodes on one PostgreSQL, all of them notified, without keys.
    #[must_use]
    pub fn new(akgate: &Path, nodes: usize) -> Self {
        Self {
            akgate: akgate.to_owned(),
            nodes,
            notified: Notified::All,
            keys: 0,
            standby: false,
            hosts: Hosts::One,
            // The product's default.
            database_timeout: 5,
            worker: false,
            public: false,
        }
    }
}

/// Which hosts of PostgreSQL the nodes know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosts {
    /// One address, which leads to the primary.
    One,
    /// The standby, then the primary.
    Both,
}

/// Which nodes listen for PostgreSQL's notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notified {
    /// All of them.
    All,
    /// Every other one.
    EveryOther,
}

impl Notified {
    fn includes(self, node: usize) -> bool {
        match self {
            Self::All => true,
            Self::EveryOther => node.is_multiple_of(2),
        }
    }
}

/// A running cluster. Everything ends when it is dropped: nodes first.
#[derive(Debug)]
pub struct Cluster {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Between each node and the primary.
    pub databases: Vec<Proxy>,
    /// Between all nodes and the standby; not used where they know one host.
    pub standby: Proxy,
    /// PostgreSQL.
    pub postgres: Mutex<Postgres>,
    /// The handlers behind the nodes.
    pub upstream: Upstream,
    /// Takes the letters, where there are any.
    pub mail: Option<MailServer>,
    /// Sends calls.
    pub signer: Signer,
    /// Sends reports.
    pub desk: Desk,
    /// The one clock.
    pub clock: Clock,
    _scratch: Scratch,
}

impl Cluster {
    /// Starts everything: PostgreSQL, keys, an operator, nodes, profiles.
    ///
    /// # Errors
    /// Where a part does not start.
    pub async fn start(settings: &Settings) -> Result<Self> {
        let scratch = Scratch::new()?;
        let clock = Clock::default();
        let upstream = Upstream::start(clock).await?;
        let mail = match settings.worker {
            true => Some(MailServer::start().await?),
            false => None,
        };
        let roles = match (settings.worker, settings.public) {
            (true, _) => "gateway,admin,worker",
            (false, true) => "gateway,admin,public",
            (false, false) => "gateway,admin",
        };
        let mut postgres = Postgres::start(scratch.path()).await?;
        let standby = Proxy::start(postgres.target()).await?;
        standby.set(Mode::Cut);
        let mut databases = Vec::new();
        let mut nodes = Vec::new();
        for n in 0..settings.nodes {
            let database = Proxy::start(postgres.target()).await?;
            let hosts = match settings.hosts {
                Hosts::One => database.address().to_string(),
                Hosts::Both => format!("{},{}", standby.address(), database.address()),
            };
            let hosts = DatabaseHosts {
                hosts,
                timeout: settings.database_timeout,
                notify: settings.notified.includes(n),
            };
            let text = configuration(&scratch, &hosts, &upstream, mail.as_ref())?;
            let config = scratch.write(&format!("node-{n}.toml"), &text)?;
            nodes.push((
                Node::new(
                    &format!("node-{n}"),
                    &settings.akgate,
                    roles,
                    config.clone(),
                ),
                config,
            ));
            databases.push(database);
        }
        let (_, config) = nodes.first().ok_or("a cluster has a node at least")?;
        let operators = provide(&settings.akgate, config, &scratch, settings.keys).await?;
        if settings.standby {
            postgres.build_standby().await?;
        }
        if let Some(target) = postgres.standby_target() {
            standby.retarget(target);
            standby.set(Mode::Pass);
        }
        let nodes: Vec<Node> = nodes.into_iter().map(|(node, _)| node).collect();
        for node in &nodes {
            node.start().await?;
        }
        let connections = Connections::new(clock);
        let cluster = Self {
            nodes,
            databases,
            standby,
            postgres: Mutex::new(postgres),
            upstream,
            mail,
            signer: Signer::new(connections.clone()),
            desk: Desk::new(connections, operators),
            clock,
            _scratch: scratch,
        };
        cluster.make_strict(settings.keys).await?;
        Ok(cluster)
    }

    /// Every other account refuses its leaked keys reads as well.
    async fn make_strict(&self, count: usize) -> Result<()> {
        let (_, addresses) = self.up().into_iter().next().ok_or("no node is up")?;
        for account in keys::strict_accounts(count) {
            self.desk.make_strict(addresses.admin, account).await?;
        }
        Ok(())
    }

    /// The nodes that serve at the moment, by their numbers.
    #[must_use]
    pub fn up(&self) -> Vec<(usize, Addresses)> {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .filter_map(|(n, node)| match node.state() {
                State::Up(addresses) => Some((n, addresses)),
                State::Stopped(_) | State::Down => None,
            })
            .collect()
    }

    /// Copies the logs of the nodes to a folder, which is made.
    ///
    /// # Errors
    /// Where they cannot be copied.
    pub fn copy_logs(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        for node in &self.nodes {
            fs::copy(node.log(), folder.join(format!("{}.log", node.name())))?;
        }
        Ok(())
    }

    /// Ends every fault that leaves the processes running: stopped nodes and PostgreSQL, cut and frozen proxies.
    pub async fn heal(&self) {
        let mut postgres = self.postgres.lock().await;
        postgres.cont();
        postgres.heal_replication();
        self.nodes.iter().for_each(Node::cont);
        for database in &self.databases {
            database.set(Mode::Pass);
        }
    }
}

/// How a node reaches the database.
struct DatabaseHosts {
    hosts: String,
    /// In seconds.
    timeout: u64,
    notify: bool,
}

fn configuration(
    scratch: &Scratch,
    database: &DatabaseHosts,
    upstream: &Upstream,
    mail: Option<&MailServer>,
) -> Result<String> {
    let key = |byte: u8| hex::encode([byte; 32]);
    let ring = scratch.write(
        "key-ring",
        &format!("seal 1 {}\nindex {}\n", key(1), key(2)),
    )?;
    let identity = scratch.write("identity-key", &key(9))?;
    let upstream = upstream.address();
    let transport = match mail.map(MailServer::address) {
        Some(address) => format!(
            "host = \"{}\"\nport = {}\nencryption = \"none\"",
            address.ip(),
            address.port()
        ),
        None => format!(
            "transport = \"folder\"\nfolder = {:?}",
            scratch.path().join("letters")
        ),
    };
    // A host of its own: nobody who is given a free port of another can take the node's while it is down.
    let [second, third, fourth] = rand::random::<[u8; 3]>();
    let host = Ipv4Addr::new(127, second.clamp(1, 254), third, fourth.clamp(1, 254));
    let mut text = format!(
        r#"[database]
url = "postgresql://postgres@{}/{DATABASE}?sslmode=disable"
timeout_seconds = {}

[directory]
key_ring_file = {ring:?}

[registry]
notify = {}

[gateway]
listen = "{host}:0"

[public]
listen = "{host}:0"
url = "http://localhost:1"

[admin]
listen = "{host}:0"
requests_per_second = 100000

[telemetry]
listen = "{host}:0"
log_filter = "info,akgate::access=off"

[mail]
{}
from = "akgate <akgate@example.com>"
"#,
        database.hosts, database.timeout, database.notify, transport,
    );
    for product in ["ram", "ims"] {
        text.push_str(&format!(
            "\n[upstreams.{product}]\nurl = \"http://{upstream}\"\nidentity_key_file = {identity:?}\n"
        ));
    }
    Ok(text)
}

/// Imports the keys and adds the operators; returns their tokens.
async fn provide(
    akgate: &Path,
    config: &Path,
    scratch: &Scratch,
    keys: usize,
) -> Result<Operators> {
    let add = async |name: &str, role: &str| {
        let arguments = ["operators", "add", name, "--role", role];
        run(akgate, arguments.map(Into::into).to_vec(), config).await
    };
    let operators = Operators {
        requester: add("drill", "admin").await?,
        approver: add("approver", "approver").await?,
    };
    let file = scratch.write("keys.csv", &keys::csv(keys))?;
    let import = vec!["keys".into(), "import".into(), file];
    run(akgate, import, config).await?;
    Ok(operators)
}

async fn run(akgate: &Path, arguments: Vec<PathBuf>, config: &Path) -> Result<String> {
    let mut command = Command::new(akgate);
    command.args(&arguments).arg("--config").arg(config);
    let output: Output = tokio::task::spawn_blocking(move || command.output()).await??;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?.trim().to_owned()),
        false => Err(format!("akgate {arguments:?}: {output:?}").into()),
    }
}
