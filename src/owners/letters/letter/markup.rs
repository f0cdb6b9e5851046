//! Parses a template, once for both parts of a letter: a small subset of CommonMark.
//!
//! | written | is | in the HTML part |
//! | --- | --- | --- |
//! | `# …`, first of all | the subject | the title |
//! | `## …` | a heading | |
//! | `*…*` | what is quoted: a code, an address | in a fixed width |
//! | `> …` | commands, one per line, each ended by `\` | a box in a fixed width |
//! | a table | facts; a head with words in it is shown | a box |
//! | a paragraph that is one link | what to press | a button |
//! | `---` | what follows is small print | a line |
//!
//! Every punctuation mark of an inserted fact is escaped, so that a fact is always plain text.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A part of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    Title(Vec<Span>),
    Heading(Vec<Span>),
    Paragraph(Vec<Span>),
    /// Numbered from there, or not.
    List(Option<u64>, Vec<Vec<Block>>),
    Table {
        head: Vec<Vec<Span>>,
        rows: Vec<Vec<Vec<Span>>>,
    },
    Commands(Vec<Block>),
    Rule,
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Span {
    Text(String),
    Strong(Vec<Span>),
    Quoted(Vec<Span>),
    Link { label: Vec<Span>, url: String },
    Break,
}

/// Why a template cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("letters do not support {0}: see the built-in templates")]
pub struct UnsupportedMarkup(String);

/// Reads a rendered template.
pub(super) fn parse_markup(text: &str) -> Result<Vec<Block>, UnsupportedMarkup> {
    let mut events = Parser::new_ext(text, Options::ENABLE_TABLES);
    parse_blocks(&mut events)
}

/// Escapes a fact, so that it is read as itself.
pub(super) fn escape_markup(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            escaped.push('\\');
        }
        escaped.push(if c.is_control() { '\u{fffd}' } else { c });
    }
    escaped
}

type MarkdownEvents<'e> = Parser<'e>;

/// Reads the blocks of a container until its end.
fn parse_blocks(events: &mut MarkdownEvents<'_>) -> Result<Vec<Block>, UnsupportedMarkup> {
    let mut blocks = Vec::new();
    // Of an item of a list without empty lines, which has no paragraph.
    let mut loose: Vec<Span> = Vec::new();
    while let Some(event) = events.next() {
        let tag = match event {
            Event::End(_) => break,
            Event::Rule => {
                flush_paragraph(&mut blocks, &mut loose);
                blocks.push(Block::Rule);
                continue;
            }
            Event::Start(tag) if is_block(&tag) => tag,
            event => {
                parse_span(event, events, &mut loose)?;
                continue;
            }
        };
        flush_paragraph(&mut blocks, &mut loose);
        blocks.push(match tag {
            Tag::Heading { level, .. } if level as usize == 1 => Block::Title(parse_spans(events)?),
            Tag::Heading { .. } => Block::Heading(parse_spans(events)?),
            Tag::Paragraph => Block::Paragraph(parse_spans(events)?),
            Tag::List(from) => Block::List(from, parse_items(events)?),
            Tag::BlockQuote(_) => Block::Commands(self::parse_blocks(events)?),
            Tag::Table(_) => parse_table(events)?,
            other => return Err(unsupported_tag(&other)),
        });
    }
    flush_paragraph(&mut blocks, &mut loose);
    Ok(blocks)
}

fn is_block(tag: &Tag<'_>) -> bool {
    !matches!(tag, Tag::Emphasis | Tag::Strong | Tag::Link { .. })
}

fn flush_paragraph(blocks: &mut Vec<Block>, loose: &mut Vec<Span>) {
    if !loose.is_empty() {
        blocks.push(Block::Paragraph(std::mem::take(loose)));
    }
}

fn parse_items(events: &mut MarkdownEvents<'_>) -> Result<Vec<Vec<Block>>, UnsupportedMarkup> {
    let mut items = Vec::new();
    while let Some(Event::Start(Tag::Item)) = events.next() {
        items.push(parse_blocks(events)?);
    }
    Ok(items)
}

fn parse_table(events: &mut MarkdownEvents<'_>) -> Result<Block, UnsupportedMarkup> {
    let (mut head, mut rows) = (Vec::new(), Vec::new());
    while let Some(Event::Start(tag)) = events.next() {
        let mut cells = Vec::new();
        while let Some(Event::Start(Tag::TableCell)) = events.next() {
            cells.push(parse_spans(events)?);
        }
        match tag {
            Tag::TableHead => head = cells,
            _ => rows.push(cells),
        }
    }
    Ok(Block::Table { head, rows })
}

/// Reads the spans of a block until its end.
fn parse_spans(events: &mut MarkdownEvents<'_>) -> Result<Vec<Span>, UnsupportedMarkup> {
    let mut spans = Vec::new();
    while let Some(event) = events.next() {
        if let Event::End(_) = event {
            break;
        }
        parse_span(event, events, &mut spans)?;
    }
    Ok(spans)
}

fn parse_span(
    event: Event<'_>,
    events: &mut MarkdownEvents<'_>,
    to: &mut Vec<Span>,
) -> Result<(), UnsupportedMarkup> {
    match event {
        Event::Text(text) => match to.last_mut() {
            Some(Span::Text(before)) => before.push_str(&text),
            _ => to.push(Span::Text(text.into_string())),
        },
        Event::SoftBreak => match to.last_mut() {
            // Chinese has no spaces between sentences.
            Some(Span::Text(before)) if !before.ends_with(|c: char| c.is_ascii()) => {}
            Some(Span::Text(before)) => before.push(' '),
            _ => to.push(Span::Text(" ".into())),
        },
        Event::HardBreak => to.push(Span::Break),
        Event::Start(Tag::Strong) => to.push(Span::Strong(parse_spans(events)?)),
        Event::Start(Tag::Emphasis) => to.push(Span::Quoted(parse_spans(events)?)),
        Event::Start(Tag::Link { dest_url, .. }) => to.push(Span::Link {
            url: dest_url.into_string(),
            label: parse_spans(events)?,
        }),
        Event::Start(other) => return Err(unsupported_tag(&other)),
        other => return Err(UnsupportedMarkup(format!("{other:?}"))),
    }
    Ok(())
}

fn unsupported_tag(tag: &Tag<'_>) -> UnsupportedMarkup {
    let end: TagEnd = tag.to_end();
    UnsupportedMarkup(format!("{end:?}"))
}
