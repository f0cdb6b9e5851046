//! What the demo prints: lines for people, or one JSON object per line.

use std::{
    io::{self, Write},
    time::Duration,
};

use serde::Serialize;

/// Who calls in the demo, and where: the first line of `--json`.
#[derive(Debug, Clone, Serialize)]
pub struct Endpoints {
    /// Where SDKs call.
    pub gateway_url: String,
    /// The gateways of all nodes, that one first.
    pub gateway_urls: Vec<String>,
    /// The same with TLS, where that was asked for.
    pub gateway_tls_url: Option<String>,
    /// Where owners confirm.
    pub public_url: String,
    /// Where operators work.
    pub admin_url: String,
    /// An operator's token.
    pub operator_token: String,
    /// The token of another one, an admin, who approves what takes two.
    pub approver_token: String,
    /// Where the letters lie.
    pub letters_dir: String,
    /// The accounts.
    pub accounts: Vec<DemoAccount>,
}

/// An account of the demo.
#[derive(Debug, Clone, Serialize)]
pub struct DemoAccount {
    /// Decimal id.
    pub account_id: String,
    /// Whom letters go to.
    pub owner_email: String,
    /// In which language.
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

/// One step of the walk.
#[derive(Debug, Clone, Serialize)]
pub struct StepResult {
    /// What was asked.
    pub step: String,
    /// Whether what came back is what was expected.
    pub ok: bool,
    /// What was expected.
    pub expected: String,
    /// What came back.
    pub got: String,
    /// How long it took, in milliseconds.
    pub ms: f64,
}

impl StepResult {
    /// A step that is over.
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

/// Prints.
pub struct DemoReport<W> {
    out: W,
    json: bool,
    color: bool,
}

impl<W: Write> DemoReport<W> {
    /// A report as JSON, or for people: in colour where they can see it.
    pub fn new(out: W, json: bool, color: bool) -> Self {
        Self {
            out,
            json,
            color: color && !json,
        }
    }

    /// Says who plays.
    ///
    /// # Errors
    /// That of the output.
    pub fn stage(&mut self, stage: &Endpoints) -> io::Result<()> {
        if self.json {
            return self.object(stage);
        }
        let bold = self.paint("1");
        let plain = self.paint("0");
        writeln!(self.out, "\n{bold}akgate demo{plain}")?;
        for url in &stage.gateway_urls {
            writeln!(self.out, "  gateway  {url}")?;
        }
        if let Some(url) = &stage.gateway_tls_url {
            writeln!(self.out, "           {url}")?;
        }
        writeln!(self.out, "  public   {}", stage.public_url)?;
        writeln!(self.out, "  admin    {}", stage.admin_url)?;
        writeln!(self.out, "  letters  {}", stage.letters_dir)?;
        for account in &stage.accounts {
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

    /// Tells a program that reads along that the walk is over and the demo stays up.
    ///
    /// # Errors
    /// That of the output.
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

    /// Begins a part of the story.
    ///
    /// # Errors
    /// That of the output.
    pub fn part(&mut self, title: &str) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        let (bold, plain) = (self.paint("1"), self.paint("0"));
        writeln!(self.out, "\n{bold}{title}{plain}")?;
        self.out.flush()
    }

    /// Says how a step went.
    ///
    /// # Errors
    /// That of the output.
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

    /// Shows a letter.
    ///
    /// # Errors
    /// That of the output.
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

    /// Says something to people alone.
    ///
    /// # Errors
    /// That of the output.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// Shows a value: its text to people, or itself as an object. `paint` gives the escape sequence of a colour's code, or
    /// nothing where there are no colours.
    ///
    /// # Errors
    /// That of the output.
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
