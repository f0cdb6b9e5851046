//! The URL of the database: it may name several hosts, and an unknown parameter is an error.

use sqlx::postgres::PgConnectOptions;

/// Parameters that a URL may have, as sqlx knows them; `target_session_attrs` is ours.
const PARAMETERS: [&str; 14] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "statement-cache-capacity",
    TARGET,
];

/// What libpq calls the choice among several hosts.
const TARGET: &str = "target_session_attrs";

/// Why a URL is refused. None of these texts repeats the URL: it contains a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlFault {
    /// It is no URL of PostgreSQL.
    #[error("must begin with postgresql:// or postgres://")]
    Scheme,
    /// A parameter would be ignored.
    #[error("has the unknown parameter \"{0}\"; known are {known}", known = PARAMETERS.join(", "))]
    Parameter(String),
    /// Another kind of server is asked for.
    #[error("must have target_session_attrs=read-write or primary, or none: akgate needs to write")]
    Target,
    /// The driver does not take it.
    #[error("is not valid: {0}")]
    Invalid(String),
}

/// Where the database is: one or several hosts, of which one accepts writes.
#[derive(Clone)]
pub struct DatabaseUrl {
    hosts: Vec<PgConnectOptions>,
}

impl std::fmt::Debug for DatabaseUrl {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hosts = self.hosts.iter().map(host_name);
        f.debug_list().entries(hosts).finish()
    }
}

impl DatabaseUrl {
    /// Reads a URL as libpq has it: `postgresql://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?sslmode=verify-full`
    /// (PostgreSQL's manual, "Connection URIs").
    ///
    /// # Errors
    /// [`DatabaseUrlFault`].
    pub fn parse(url: &str) -> Result<Self, DatabaseUrlFault> {
        let rest = url
            .strip_prefix("postgresql://")
            .or_else(|| url.strip_prefix("postgres://"))
            .ok_or(DatabaseUrlFault::Scheme)?;
        let (address, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let parameters = check_parameters(parameters)?;
        let (authority, database) = address.split_once('/').unwrap_or((address, ""));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (format!("{user}@"), hosts),
            None => (String::new(), authority),
        };
        let hosts = hosts.split(',').map(|host| {
            format!("postgresql://{user}{host}/{database}?{parameters}")
                .parse()
                .map_err(|fault: sqlx::Error| DatabaseUrlFault::Invalid(reason(&fault)))
        });
        let hosts = hosts.collect::<Result<Vec<PgConnectOptions>, _>>()?;
        Ok(Self { hosts })
    }

    /// How each host is reached, in the order of the URL.
    #[must_use]
    pub fn hosts(&self) -> &[PgConnectOptions] {
        &self.hosts
    }
}

/// Where a connection goes, for people: a host and its port, or a socket's folder.
#[must_use]
pub fn host_name(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(folder) => folder.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

/// The parameters without ours.
fn check_parameters(parameters: &str) -> Result<String, DatabaseUrlFault> {
    let mut kept = Vec::new();
    for parameter in parameters.split('&').filter(|one| !one.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let plain = name.split_once('[').map_or(name, |(plain, _)| plain);
        if !PARAMETERS.contains(&plain) {
            return Err(DatabaseUrlFault::Parameter(name.to_owned()));
        }
        match (plain, value) {
            (TARGET, "read-write" | "primary") => {}
            (TARGET, _) => return Err(DatabaseUrlFault::Target),
            _ => kept.push(parameter),
        }
    }
    Ok(kept.join("&"))
}

/// The innermost reason: the outer texts say that it is about a URL.
fn reason(fault: &sqlx::Error) -> String {
    let mut innermost: &dyn std::error::Error = fault;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn hosts(url: &str) -> Vec<String> {
        let url = DatabaseUrl::parse(url).unwrap();
        url.hosts().iter().map(host_name).collect()
    }

    #[test]
    fn hosts_share_what_stands_around_them() {
        let url = "postgresql://akgate:p%40ss@one:5433,two/akgate?target_session_attrs=read-write&sslmode=disable";
        assert_eq!(hosts(url), ["one:5433", "two:5432"]);
        for host in DatabaseUrl::parse(url).unwrap().hosts() {
            assert_eq!(host.get_username(), "akgate");
            assert_eq!(host.get_database(), Some("akgate"));
        }
        assert_eq!(
            hosts("postgres:///akgate?host=/run/postgresql"),
            ["/run/postgresql"]
        );
        assert_eq!(hosts("postgres://[::1]:5433/akgate"), ["[::1]:5433"]);
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        for (url, fault) in [
            ("mysql://db/akgate", DatabaseUrlFault::Scheme),
            (
                "postgres://db/akgate?ssl_mode=verify-full",
                DatabaseUrlFault::Parameter("ssl_mode".into()),
            ),
            (
                "postgres://db/akgate?target_session_attrs=any",
                DatabaseUrlFault::Target,
            ),
        ] {
            assert_eq!(DatabaseUrl::parse(url).unwrap_err(), fault);
        }
        let fault = DatabaseUrl::parse("postgres://u:secret@db/akgate?sslmode=always").unwrap_err();
        assert!(!fault.to_string().contains("secret"), "{fault}");
    }
}
