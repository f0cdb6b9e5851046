//! What the demo prints: lines for people, or one JSON object per line.

use std::{
    io::{self, Write},
    time::Duration,
};

use comfy_table::{Table, presets};
use serde::Serialize;

use super::attack::tally::{LeftBehind, Tally};

/// Who calls in the demo, and where: the first line of `--json`.
#[derive(Debug, Clone, Serialize)]
pub struct Stage {
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
    pub accounts: Vec<AccountOnStage>,
}

/// An account of the demo.
#[derive(Debug, Clone, Serialize)]
pub struct AccountOnStage {
    /// Decimal id.
    pub account_id: String,
    /// Whom letters go to.
    pub owner_email: String,
    /// In which language.
    pub language: String,
    /// Its keys.
    pub access_keys: Vec<KeyOnStage>,
}

/// A key of the demo.
#[derive(Debug, Clone, Serialize)]
pub struct KeyOnStage {
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
pub struct Step {
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

impl Step {
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
pub struct Report<W> {
    out: W,
    json: bool,
    color: bool,
}

impl<W: Write> Report<W> {
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
    pub fn stage(&mut self, stage: &Stage) -> io::Result<()> {
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
            return self.step(&Step::new("ready", ready, ready.to_owned(), Duration::ZERO));
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
    pub fn step(&mut self, step: &Step) -> io::Result<()> {
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

    /// Says what came of the attack.
    ///
    /// # Errors
    /// That of the output.
    pub fn attack(&mut self, tally: &Tally) -> io::Result<()> {
        if self.json {
            return self.object(tally);
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_header([
            "attempt",
            "before: got through",
            "last got through, at ms",
            "first after, at ms",
            "after: got through",
            "response then",
        ]);
        let ms = |at: Option<f64>| at.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1}"));
        for row in &tally.rows {
            table.add_row([
                row.tried.to_owned(),
                format!("{} of {}", row.through_before, row.before),
                ms(row.last_through_ms),
                ms(row.first_after_ms),
                format!("{} of {}", row.through_after, row.after),
                row.got.clone(),
            ]);
        }
        writeln!(
            self.out,
            "{table}\n\nThe leak was reported at {:.1} ms; the report was answered at {:.1} ms.",
            tally.reported_ms, tally.answered_ms
        )?;
        let (colour, plain) = match tally.through_after() {
            0 => (self.paint("32"), self.paint("0")),
            _ => (self.paint("31;1"), self.paint("0")),
        };
        writeln!(
            self.out,
            "{colour}Of {} calls sent after the answer, {} got through.{plain}",
            tally.after(),
            tally.through_after()
        )?;
        self.out.flush()
    }

    /// Says what the attacker had made in time.
    ///
    /// # Errors
    /// That of the output.
    pub fn left_behind(&mut self, left: &LeftBehind) -> io::Result<()> {
        if self.json {
            return self.object(left);
        }
        writeln!(
            self.out,
            "\nWhat it had made in time: AccessKey {} is a key of its own, and its CreateUser got: {}\n\
             The leaked key's activity {}. The operator reported it too, and its CreateUser got: {}",
            left.access_key_id,
            left.works,
            if left.is_named {
                "names it"
            } else {
                "does NOT name it"
            },
            left.restricted
        )?;
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
