//! How answers are shown: a table on a terminal, JSON or YAML for programs.

use std::io::Write;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{client::ApiFault, format::OutputFormat};
use akgate_rules::visible_text::escape_misleading;

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
                self.rows(things, columns)?;
                if let Some(more) = more {
                    writeln!(self.out, "There are more rows: {more}")?;
                }
            }
        }
        Ok(())
    }

    /// Prints a table, or one block per row where the terminal is so narrow that the table would break words: an id that
    /// is broken cannot be copied.
    fn rows(&mut self, things: &[Value], columns: &[Column]) -> Result<(), ApiFault> {
        let rows = things.iter().map(|thing| {
            let cells = columns.iter();
            cells
                .map(|(_, member)| format_cell(thing.get(member)))
                .collect()
        });
        let rows: Vec<Vec<String>> = rows.collect();
        let mut table = new_table();
        let words = longest_words(columns, &rows);
        if !table.width().is_none_or(|width| fits(&words, width)) {
            return things.iter().try_for_each(|thing| self.one(thing, columns));
        }
        table.set_header(columns.iter().map(|(header, _)| *header));
        table.add_rows(rows);
        let bounds = words.into_iter().map(Width::Fixed);
        table.set_constraints(bounds.map(ColumnConstraint::LowerBoundary));
        writeln!(self.out, "{table}")?;
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

/// The number of characters of each column's longest word, and the padding of a cell.
fn longest_words(columns: &[Column], rows: &[Vec<String>]) -> Vec<u16> {
    let longest = |text: &str| {
        text.split_whitespace()
            .map(|word| word.chars().count())
            .max()
    };
    let widths = columns.iter().enumerate().map(|(at, (header, _))| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        let texts = cells.map(String::as_str).chain([*header]);
        texts.filter_map(longest).max().unwrap_or_default()
    });
    let padded = widths.map(|width| u16::try_from(width + 2).unwrap_or(u16::MAX));
    padded.collect()
}

/// Whether columns of at least these widths fit side by side, with a line before, between and after them.
fn fits(columns: &[u16], width: u16) -> bool {
    let needed = columns
        .iter()
        .fold(1, |sum: usize, column| sum + usize::from(*column) + 1);
    needed <= width.into()
}

/// Formats a value for a table: times to the second, texts with what misleads escaped.
pub(super) fn format_cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => {
            format_instant(text).unwrap_or_else(|| escape_misleading(text, |_| false).into_owned())
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_needs_room_for_its_longest_words() {
        let columns: &[Column] = &[("id", "id"), ("last error", "error")];
        let rows = [vec!["01a22d6d-74eb".to_owned(), "no such host".to_owned()]];
        let words = longest_words(columns, &rows);
        assert_eq!(words, [15, 7]);
        assert!(fits(&words, 25) && !fits(&words, 24));
    }
}
