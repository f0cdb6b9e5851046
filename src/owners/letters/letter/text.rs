//! The text part of a letter: lines of 78 columns at most where words allow it (RFC 5322, section 2.1.1).

use super::markup::{Block, Span};

const LINE_COLUMNS: usize = 78;

/// Writes blocks as text.
pub(super) fn render_text(blocks: &[Block]) -> String {
    let mut text = String::new();
    for block in blocks {
        let before = match block {
            Block::Heading(_) => "\n\n",
            _ => "\n",
        };
        if !text.is_empty() {
            text.push_str(before);
        }
        push_block(&mut text, block, "");
    }
    text
}

/// Writes one block, each line after `indent`, and ends it.
fn push_block(text: &mut String, block: &Block, indent: &str) {
    match block {
        Block::Title(spans) | Block::Paragraph(spans) => {
            push_wrapped(text, &render_line(spans), indent, indent);
        }
        Block::Heading(spans) => {
            let heading = render_line(spans);
            // Scripts that have no capitals get brackets.
            if heading.is_ascii() {
                push_wrapped(text, &heading.to_uppercase(), indent, indent);
            } else {
                push_wrapped(text, &format!("【{heading}】"), indent, indent);
            }
        }
        Block::List(from, items) => push_list(text, *from, items, indent),
        Block::Table { head, rows } => push_table(text, head, rows, indent),
        Block::Commands(blocks) => push_commands(text, blocks, indent),
        Block::Rule => push_wrapped(text, "--", indent, indent),
    }
}

/// Commands are copied: each stays on its line.
fn push_commands(text: &mut String, blocks: &[Block], indent: &str) {
    for block in blocks {
        if let Block::Paragraph(spans) = block {
            for command in render_line(spans).lines() {
                text.push_str(&format!("{indent}    {command}\n"));
            }
        }
    }
}

fn push_list(text: &mut String, from: Option<u64>, items: &[Vec<Block>], indent: &str) {
    for (n, item) in (from.unwrap_or_default()..).zip(items) {
        let mark = match from {
            Some(_) => format!("{n}. "),
            None => "* ".to_owned(),
        };
        let inner = format!("{indent}{}", " ".repeat(mark.len()));
        for (at, block) in item.iter().enumerate() {
            match block {
                Block::Paragraph(spans) if at == 0 => {
                    push_wrapped(
                        text,
                        &render_line(spans),
                        &format!("{indent}{mark}"),
                        &inner,
                    );
                }
                Block::Commands(blocks) => {
                    text.push('\n');
                    push_commands(text, blocks, &inner);
                    text.push('\n');
                }
                block => push_block(text, block, &inner),
            }
        }
    }
}

fn push_table(text: &mut String, head: &[Vec<Span>], rows: &[Vec<Vec<Span>>], indent: &str) {
    let head: Vec<String> = head.iter().map(|cell| render_line(cell)).collect();
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| render_line(cell)).collect())
        .collect();
    let has_head = head.iter().any(|cell| !cell.is_empty());
    let shown = || has_head.then_some(&head).into_iter().chain(&rows);
    let width = |at: usize| {
        let cells = shown().filter_map(|row| row.get(at));
        cells
            .map(|cell| display_width(cell))
            .max()
            .unwrap_or_default()
    };
    for row in shown() {
        let mut line = format!("{indent}  ");
        for (at, cell) in row.iter().enumerate() {
            line.push_str(cell);
            if at + 1 < row.len() {
                let gap = width(at).saturating_sub(display_width(cell)) + 3;
                line.push_str(&" ".repeat(gap));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// How many columns a text takes in a fixed-width font.
fn display_width(text: &str) -> usize {
    textwrap::core::display_width(text)
}

fn push_wrapped(text: &mut String, line: &str, first: &str, next: &str) {
    // Where words are not separated by spaces, the reader's program knows better where a line can end.
    let has_spaces = line
        .chars()
        .all(|c| display_width(c.encode_utf8(&mut [0; 4])) < 2);
    let options = textwrap::Options::new(if has_spaces { LINE_COLUMNS } else { usize::MAX })
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
pub(super) fn render_line(spans: &[Span]) -> String {
    let mut text = String::new();
    for span in spans {
        match span {
            Span::Text(part) => text.push_str(part),
            Span::Strong(inner) | Span::Quoted(inner) => text.push_str(&render_line(inner)),
            // Plain text shows the address; the label is only for the HTML part.
            Span::Link { url, .. } => text.push_str(url),
            Span::Break => text.push('\n'),
        }
    }
    text
}
