//! How answers are shown: a table on a terminal, JSON or YAML for programs.

use std::io::Write;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{client::ApiFault, format::OutputFormat};
use akgate_rules::visible_text::escape_misleading;

/// A column's header and the member that it shows; several, separated by `+`, are shown as one text.
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
                .map(|(_, member)| format_members(thing, member))
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
            let cell = format_members(thing, member);
            if cell != NOTHING {
                table.add_row([(*header).to_owned(), cell]);
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

/// Formats members of an object: those that are there and that say something new.
fn format_members(thing: &Value, members: &str) -> String {
    let mut shown = String::new();
    for member in members.split('+') {
        let cell = thing.get(member).filter(|value| !is_empty(value));
        let cell = cell
            .map(|value| format_cell(Some(value)))
            .unwrap_or_default();
        if cell.is_empty() || (!shown.is_empty() && shown.contains(&cell)) {
            continue;
        }
        if !shown.is_empty() {
            shown.push_str(", ");
        }
        shown.push_str(&cell);
    }
    if shown.is_empty() {
        NOTHING.to_owned()
    } else {
        shown
    }
}

/// What a table shows where there is nothing.
const NOTHING: &str = "-";

/// Formats a value for a table: times to the second, texts with what misleads escaped.
pub(super) fn format_cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => NOTHING.to_owned(),
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
    fn place_is_shown_from_all_that_names_it() {
        let shown = |thing| format_members(&thing, "url+path+commit");
        for (thing, text) in [
            (
                serde_json::json!({ "url": "https://h/a/.env", "path": ".env", "commit": "c0ffee" }),
                "https://h/a/.env, c0ffee",
            ),
            (
                serde_json::json!({ "url": null, "path": "a/.env", "commit": "c0ffee" }),
                "a/.env, c0ffee",
            ),
            (serde_json::json!({}), "-"),
        ] {
            assert_eq!(shown(thing), text);
        }
    }

    #[test]
    fn table_needs_room_for_its_longest_words() {
        let columns: &[Column] = &[("id", "id"), ("last error", "error")];
        let rows = [vec!["01a22d6d-74eb".to_owned(), "no such host".to_owned()]];
        let words = longest_words(columns, &rows);
        assert_eq!(words, [15, 7]);
        assert!(fits(&words, 25) && !fits(&words, 24));
    }
}
