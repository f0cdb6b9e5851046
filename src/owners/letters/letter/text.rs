//! The text part of a letter: lines of 78 columns at most where words allow it (RFC 5322, section 2.1.1).

use super::markup::{Block, Span};

const COLUMNS: usize = 78;

/// Writes blocks as text.
pub(super) fn write(blocks: &[Block]) -> String {
    let mut text = String::new();
    for block in blocks {
        let before = match block {
            Block::Heading(_) => "\n\n",
            _ => "\n",
        };
        if !text.is_empty() {
            text.push_str(before);
        }
        push(&mut text, block, "");
    }
    text
}

/// Writes one block, each line after `indent`, and ends it.
fn push(text: &mut String, block: &Block, indent: &str) {
    match block {
        Block::Title(spans) | Block::Paragraph(spans) => wrap(text, &line(spans), indent, indent),
        Block::Heading(spans) => {
            let heading = line(spans);
            // Scripts that have no capitals get brackets.
            if heading.is_ascii() {
                wrap(text, &heading.to_uppercase(), indent, indent);
            } else {
                wrap(text, &format!("【{heading}】"), indent, indent);
            }
        }
        Block::List(from, items) => list(text, *from, items, indent),
        Block::Table { head, rows } => table(text, head, rows, indent),
        Block::Commands(blocks) => commands(text, blocks, indent),
        Block::Rule => wrap(text, "--", indent, indent),
    }
}

/// Commands are copied: each stays on its line.
fn commands(text: &mut String, blocks: &[Block], indent: &str) {
    for block in blocks {
        if let Block::Paragraph(spans) = block {
            for command in line(spans).lines() {
                text.push_str(&format!("{indent}    {command}\n"));
            }
        }
    }
}

fn list(text: &mut String, from: Option<u64>, items: &[Vec<Block>], indent: &str) {
    for (n, item) in (from.unwrap_or_default()..).zip(items) {
        let mark = match from {
            Some(_) => format!("{n}. "),
            None => "* ".to_owned(),
        };
        let inner = format!("{indent}{}", " ".repeat(mark.len()));
        for (at, block) in item.iter().enumerate() {
            match block {
                Block::Paragraph(spans) if at == 0 => {
                    wrap(text, &line(spans), &format!("{indent}{mark}"), &inner);
                }
                Block::Commands(blocks) => {
                    text.push('\n');
                    commands(text, blocks, &inner);
                    text.push('\n');
                }
                block => push(text, block, &inner),
            }
        }
    }
}

fn table(text: &mut String, head: &[Vec<Span>], rows: &[Vec<Vec<Span>>], indent: &str) {
    let head: Vec<String> = head.iter().map(|cell| line(cell)).collect();
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| line(cell)).collect())
        .collect();
    let has_head = head.iter().any(|cell| !cell.is_empty());
    let shown = || has_head.then_some(&head).into_iter().chain(&rows);
    let width = |at: usize| {
        let cells = shown().filter_map(|row| row.get(at));
        cells.map(|cell| columns(cell)).max().unwrap_or_default()
    };
    for row in shown() {
        let mut line = format!("{indent}  ");
        for (at, cell) in row.iter().enumerate() {
            line.push_str(cell);
            if at + 1 < row.len() {
                let gap = width(at).saturating_sub(columns(cell)) + 3;
                line.push_str(&" ".repeat(gap));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// How many columns a text takes in a fixed-width font.
fn columns(text: &str) -> usize {
    textwrap::core::display_width(text)
}

fn wrap(text: &mut String, line: &str, first: &str, next: &str) {
    // Where words are not separated by spaces, the reader's program knows better where a line can end.
    let has_spaces = line
        .chars()
        .all(|c| columns(c.encode_utf8(&mut [0; 4])) < 2);
    let options = textwrap::Options::new(if has_spaces { COLUMNS } else { usize::MAX })
        .initial_indent(first)
        .subsequent_indent(next)
        // An address is not cut.
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
    let mut parts = line.split('\n');
    let first = parts.next().unwrap_or_default();
    let after = options.clone().initial_indent(next);
    let lines = textwrap::wrap(first, &options).into_iter();
    for line in lines.chain(parts.flat_map(|part| textwrap::wrap(part, &after))) {
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// Spans as a line; breaks are new lines.
pub(super) fn line(spans: &[Span]) -> String {
    let mut text = String::new();
    for span in spans {
        match span {
            Span::Text(part) => text.push_str(part),
            Span::Strong(inner) | Span::Quoted(inner) => text.push_str(&line(inner)),
            // The label is for who sees no address; here the address is what is opened.
            Span::Link { url, .. } => text.push_str(url),
            Span::Break => text.push('\n'),
        }
    }
    text
}
