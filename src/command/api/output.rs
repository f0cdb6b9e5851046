//! How answers are shown: a table on a terminal, JSON or YAML for programs.

use std::io::Write;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{client::ApiFault, format::OutputFormat};

/// A column's header and the member that it shows.
pub(super) type Column = (&'static str, &'static str);

/// Prints answers in one output format.
pub struct OutputPrinter<'w, W> {
    pub output: OutputFormat,
    pub out: &'w mut W,
}

impl<W: Write> OutputPrinter<'_, W> {
    /// Prints a list, or `none` if it is empty, and how to see more if there are more.
    pub fn list(
        &mut self,
        things: &[Value],
        columns: &[Column],
        none: &str,
        more: Option<&str>,
    ) -> Result<(), ApiFault> {
        match self.output {
            OutputFormat::Json | OutputFormat::Yaml => return self.value(&things),
            OutputFormat::Table if things.is_empty() => writeln!(self.out, "{none}")?,
            OutputFormat::Table => {
                let mut table = new_table();
                table.set_header(columns.iter().map(|(header, _)| *header));
                for thing in things {
                    table.add_row(
                        columns
                            .iter()
                            .map(|(_, member)| format_cell(thing.get(member))),
                    );
                }
                writeln!(self.out, "{table}")?;
                if let Some(more) = more {
                    writeln!(self.out, "There are more rows: {more}")?;
                }
            }
        }
        Ok(())
    }

    /// Prints one object: those of the rows that it has.
    pub fn one(&mut self, thing: &Value, rows: &[Column]) -> Result<(), ApiFault> {
        if self.output != OutputFormat::Table {
            return self.value(thing);
        }
        let mut table = new_table();
        for (header, member) in rows {
            let value = thing.get(member).filter(|value| !is_empty(value));
            if let Some(value) = value {
                table.add_row([(*header).to_owned(), format_cell(Some(value))]);
            }
        }
        writeln!(self.out, "{table}")?;
        Ok(())
    }

    fn value(&mut self, value: &impl serde::Serialize) -> Result<(), ApiFault> {
        match self.output {
            OutputFormat::Yaml => {
                let text = serde_saphyr::to_string(value).map_err(std::io::Error::other)?;
                write!(self.out, "{text}")?;
                if !text.ends_with('\n') {
                    writeln!(self.out)?;
                }
            }
            OutputFormat::Json | OutputFormat::Table => {
                serde_json::to_writer_pretty(&mut *self.out, value)
                    .map_err(std::io::Error::from)?;
                writeln!(self.out)?;
            }
        }
        Ok(())
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn new_table() -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// Formats a value for a table: times to the second, texts without control characters.
pub(super) fn format_cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => format_instant(text).unwrap_or_else(|| strip_controls(text)),
        Some(Value::Array(values)) => {
            let texts: Vec<String> = values
                .iter()
                .map(|value| format_cell(Some(value)))
                .collect();
            texts.join("\n")
        }
        Some(Value::Object(members)) => {
            let told = members.iter().filter(|(_, value)| !is_empty(value));
            let lines = told.map(|(name, value)| match value {
                Value::Object(_) => format_cell(Some(value)),
                value => format!("{name}: {}", format_cell(Some(value))),
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        Some(value) => value.to_string(),
    }
}

/// A time, to the second.
fn format_instant(text: &str) -> Option<String> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let at = at.replace_nanosecond(0).ok()?.format(&Rfc3339).ok()?;
    Some(at.replace('T', " "))
}

fn strip_controls(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
