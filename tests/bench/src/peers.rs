//! The proxies, each a process of its own on the first core.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use akgate_client::signer::SigningCredentials;

/// Where the proxies run; load and origin run on the other core.
pub const CORE: &str = "0";

/// A running proxy.
pub struct Peer {
    /// For people.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where akgate's metrics are.
    pub metrics: Option<SocketAddr>,
    child: Child,
}

impl Peer {
    /// The process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn start(
        name: &'static str,
        program: &Path,
        arguments: &[String],
        address: SocketAddr,
        log: &Path,
    ) -> io::Result<Self> {
        let log = fs::File::create(log)?;
        let child = Command::new("taskset")
            .args(["-c", CORE])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let peer = Self {
            name,
            address,
            metrics: None,
            child,
        };
        let until = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(address).is_err() {
            if Instant::now() > until {
                return Err(io::Error::other(format!("{name} does not listen")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(peer)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // nginx's workers go with their master only where it is asked to go.
        drop(Command::new("kill").arg(self.pid().to_string()).status());
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Where everything stands.
pub struct Stage {
    /// A folder of this run's own.
    pub folder: PathBuf,
    /// The origin.
    pub origin: SocketAddr,
    /// The key that signs.
    pub key: SigningCredentials,
}

impl Stage {
    /// An address that nobody listens on.
    fn free() -> io::Result<SocketAddr> {
        TcpListener::bind("127.0.0.1:0")?.local_addr()
    }

    fn filled(&self, template: &str, listen: SocketAddr, folder: &Path) -> String {
        [
            ("{folder}", folder.display().to_string()),
            ("{peers}", folder.display().to_string()),
            ("{origin}", self.origin.to_string()),
            ("{origin_host}", self.origin.ip().to_string()),
            ("{origin_port}", self.origin.port().to_string()),
            ("{listen}", listen.to_string()),
            ("{listen_host}", listen.ip().to_string()),
            ("{listen_port}", listen.port().to_string()),
            ("{key}", self.key.access_key_id.clone()),
            ("{secret}", self.key.access_key_secret.clone()),
        ]
        .into_iter()
        .fold(template.to_owned(), |text, (name, value)| {
            text.replace(name, &value)
        })
    }

    fn folder_of(&self, name: &str) -> io::Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Plain nginx.
    ///
    /// # Errors
    /// That of the system.
    pub fn nginx(&self) -> io::Result<Peer> {
        let template = include_str!("../peers/nginx.conf");
        self.start_nginx("nginx, no checks", "nginx", template)
    }

    /// nginx with the check in Lua.
    ///
    /// # Errors
    /// That of the system.
    pub fn lua(&self) -> io::Result<Peer> {
        let folder = self.folder_of("lua")?;
        let listen = self.origin;
        let script = self.filled(include_str!("../peers/verify.lua"), listen, &folder);
        fs::write(folder.join("verify.lua"), script)?;
        let template = include_str!("../peers/lua.conf");
        self.start_nginx("nginx + Lua, the same check", "lua", template)
    }

    fn start_nginx(&self, name: &'static str, folder: &str, template: &str) -> io::Result<Peer> {
        let (folder, listen) = (self.folder_of(folder)?, Self::free()?);
        let config = folder.join("nginx.conf");
        fs::write(&config, self.filled(template, listen, &folder))?;
        let log = folder.join("nginx.log");
        let arguments = [
            "-c".to_owned(),
            config.display().to_string(),
            "-e".to_owned(),
            log.display().to_string(),
        ];
        let out = folder.join("out.log");
        Peer::start(name, Path::new("nginx"), &arguments, listen, &out)
    }

    /// Envoy with `ext_authz`.
    ///
    /// # Errors
    /// That of the system.
    pub fn envoy(&self, program: &Path) -> io::Result<Peer> {
        let (folder, listen) = (self.folder_of("envoy")?, Self::free()?);
        let config = folder.join("envoy.yaml");
        let template = include_str!("../peers/envoy.yaml");
        fs::write(&config, self.filled(template, listen, &folder))?;
        let arguments = [
            "-c".to_owned(),
            config.display().to_string(),
            "--concurrency".to_owned(),
            "1".to_owned(),
            "--log-level".to_owned(),
            "error".to_owned(),
        ];
        let out = folder.join("out.log");
        Peer::start("Envoy + ext_authz", program, &arguments, listen, &out)
    }

    /// akgate.
    ///
    /// # Errors
    /// That of the system.
    pub fn akgate(&self, program: &Path, config: &Path, gateway: SocketAddr) -> io::Result<Peer> {
        let folder = self.folder_of("akgate")?;
        let arguments = [
            "serve".to_owned(),
            "--roles".to_owned(),
            "gateway".to_owned(),
            "--config".to_owned(),
            config.display().to_string(),
        ];
        let out = folder.join("access.log");
        Peer::start("akgate", program, &arguments, gateway, &out)
    }

    /// Writes akgate's configuration; gives it with the addresses of the gateway and of the metrics.
    ///
    /// # Errors
    /// That of the system.
    pub fn configure(&self, database: &str) -> io::Result<(PathBuf, SocketAddr, SocketAddr)> {
        let folder = self.folder_of("akgate")?;
        let (gateway, metrics) = (Self::free()?, Self::free()?);
        let ring = folder.join("key-ring");
        let (seal, index) = ("01".repeat(32), "02".repeat(32));
        fs::write(&ring, format!("seal 1 {seal}\nindex {index}\n"))?;
        let config = folder.join("akgate.toml");
        let text = format!(
            "[gateway]\nlisten = \"{gateway}\"\n[telemetry]\nlisten = \"{metrics}\"\n\
             [database]\nurl = {database:?}\n[directory]\nkey_ring_file = {ring:?}\n\
             [freshness]\nnonces_per_key = 50000000\n\
             [upstreams.ram]\nurl = \"http://{}\"\nidentity_key = \"{}\"\n",
            self.origin,
            "09".repeat(32)
        );
        fs::write(&config, text)?;
        Ok((config, gateway, metrics))
    }
}
