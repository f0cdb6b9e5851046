//! What the demo prints: lines for people, or one JSON object per line.

use std::{
    io::{self, Write},
    time::Duration,
};

use serde::Serialize;

/// The endpoints and accounts of the demo: the first line of `--json`.
#[derive(Debug, Clone, Serialize)]
pub struct Endpoints {
    /// URL of the gateway.
    pub gateway_url: String,
    /// URLs of the gateways of all nodes, the first one first.
    pub gateway_urls: Vec<String>,
    /// URL of the gateway with TLS, if requested.
    pub gateway_tls_url: Option<String>,
    /// URL of the owners' pages.
    pub public_url: String,
    /// URL of the admin API.
    pub admin_url: String,
    /// An operator's token.
    pub operator_token: String,
    /// The token of another operator, an admin, for approvals.
    pub approver_token: String,
    /// The folder of the letters.
    pub letters_dir: String,
    /// The accounts.
    pub accounts: Vec<DemoAccount>,
}

/// An account of the demo.
#[derive(Debug, Clone, Serialize)]
pub struct DemoAccount {
    /// Decimal id.
    pub account_id: String,
    /// The owner's address.
    pub owner_email: String,
    /// The language of the letters.
    pub language: String,
    /// Its keys.
    pub access_keys: Vec<DemoKey>,
}

/// A key of the demo.
#[derive(Debug, Clone, Serialize)]
pub struct DemoKey {
    /// The public half.
    pub access_key_id: String,
    /// The secret half.
    pub access_key_secret: String,
    /// The RAM user; null for the account itself.
    pub user_name: Option<String>,
    /// `clean` or `restricted`.
    pub state: &'static str,
}

/// One step of the scenario.
#[derive(Debug, Clone, Serialize)]
pub struct StepResult {
    /// What was done.
    pub step: String,
    /// Whether the answer is the expected one.
    pub ok: bool,
    /// What was expected.
    pub expected: String,
    /// The answer.
    pub got: String,
    /// How long it took, in milliseconds.
    pub ms: f64,
}

impl StepResult {
    /// A finished step.
    #[must_use]
    pub fn new(step: &str, expected: &str, got: String, took: Duration) -> Self {
        Self {
            step: step.to_owned(),
            ok: got == expected,
            expected: expected.to_owned(),
            got,
            ms: (took.as_secs_f64() * 100_000.0).round() / 100.0,
        }
    }
}

/// Prints the progress of the demo.
pub struct DemoReport<W> {
    out: W,
    json: bool,
    color: bool,
}

impl<W: Write> DemoReport<W> {
    /// A report as JSON, or as text, in colour on a terminal.
    pub fn new(out: W, json: bool, color: bool) -> Self {
        Self {
            out,
            json,
            color: color && !json,
        }
    }

    /// Prints the endpoints and accounts.
    ///
    /// # Errors
    /// The output cannot be written to.
    pub fn print_endpoints(&mut self, endpoints: &Endpoints) -> io::Result<()> {
        if self.json {
            return self.object(endpoints);
        }
        let bold = self.paint("1");
        let plain = self.paint("0");
        writeln!(self.out, "\n{bold}akgate demo{plain}")?;
        for url in &endpoints.gateway_urls {
            writeln!(self.out, "  gateway  {url}")?;
        }
        if let Some(url) = &endpoints.gateway_tls_url {
            writeln!(self.out, "           {url}")?;
        }
        writeln!(self.out, "  public   {}", endpoints.public_url)?;
        writeln!(self.out, "  admin    {}", endpoints.admin_url)?;
        writeln!(self.out, "  letters  {}", endpoints.letters_dir)?;
        for account in &endpoints.accounts {
            writeln!(
                self.out,
                "  account  {} <{}>, {}",
                account.account_id, account.owner_email, account.language
            )?;
            for key in &account.access_keys {
                let who = key.user_name.as_deref().unwrap_or("(the account itself)");
                writeln!(self.out, "           {}  {who}", key.access_key_id)?;
            }
        }
        writeln!(self.out)?;
        self.out.flush()
    }

    /// Tells a program that reads the output that the scenario is over and the demo stays up.
    ///
    /// # Errors
    /// The output cannot be written to.
    pub fn ready(&mut self) -> io::Result<()> {
        if self.json {
            let ready = "the demo stays up";
            return self.step(&StepResult::new(
                "ready",
                ready,
                ready.to_owned(),
                Duration::ZERO,
            ));
        }
        Ok(())
    }

    /// Prints the title of the next part.
    ///
    /// # Errors
    /// The output cannot be written to.
    pub fn part(&mut self, title: &str) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        let (bold, plain) = (self.paint("1"), self.paint("0"));
        writeln!(self.out, "\n{bold}{title}{plain}")?;
        self.out.flush()
    }

    /// Prints the result of a step.
    ///
    /// # Errors
    /// The output cannot be written to.
    pub fn step(&mut self, step: &StepResult) -> io::Result<()> {
        if self.json {
            return self.object(step);
        }
        let (mark, colour) = if step.ok {
            ("✓", "32")
        } else {
            ("✗", "31;1")
        };
        let (colour, soft, plain) = (self.paint(colour), self.paint("2"), self.paint("0"));
        writeln!(
            self.out,
            "  {colour}{mark}{plain} {:<58} {} {soft}{:.1} ms{plain}",
            step.step, step.got, step.ms
        )?;
        if !step.ok {
            writeln!(self.out, "      expected: {}", step.expected)?;
        }
        self.out.flush()
    }

    /// Prints a letter.
    ///
    /// # Errors
    /// The output cannot be written to.
    pub fn letter(&mut self, text: &str) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        let (soft, plain) = (self.paint("2"), self.paint("0"));
        for line in text.lines() {
            writeln!(self.out, "    {soft}│{plain} {line}")?;
        }
        self.out.flush()
    }

    /// Prints a text, but not with `--json`.
    ///
    /// # Errors
    /// The output cannot be written to.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// Prints a value: as text, or as JSON with `--json`. `paint` returns the escape sequence of a colour code, or
    /// nothing without colours.
    ///
    /// # Errors
    /// The output cannot be written to.
    pub fn show<T: Serialize>(
        &mut self,
        value: &T,
        text: impl FnOnce(&T, &dyn Fn(&str) -> String) -> String,
    ) -> io::Result<()> {
        if self.json {
            return self.object(value);
        }
        let text = text(value, &|code| self.paint(code));
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    fn object(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        writeln!(self.out)?;
        self.out.flush()
    }

    fn paint(&self, code: &str) -> String {
        if self.color {
            format!("\x1b[{code}m")
        } else {
            String::new()
        }
    }
}
