//! What a template says, read once for both parts of a letter: CommonMark, of which letters use a little.
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
//! A fact that a template puts in has every punctuation mark escaped: it is text, whatever it holds.

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

/// Why a template's text is no letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("letters do not support {0}: see the built-in templates")]
pub struct Unsupported(String);

/// Reads a rendered template.
pub(super) fn read(text: &str) -> Result<Vec<Block>, Unsupported> {
    let mut events = Parser::new_ext(text, Options::ENABLE_TABLES);
    blocks(&mut events)
}

/// Escapes a fact, so that it is read as itself.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            escaped.push('\\');
        }
        escaped.push(if c.is_control() { '\u{fffd}' } else { c });
    }
    escaped
}

type Events<'e> = Parser<'e>;

/// The blocks until the end of what holds them.
fn blocks(events: &mut Events<'_>) -> Result<Vec<Block>, Unsupported> {
    let mut blocks = Vec::new();
    // Of an item of a list without empty lines, which has no paragraph.
    let mut loose: Vec<Span> = Vec::new();
    while let Some(event) = events.next() {
        let tag = match event {
            Event::End(_) => break,
            Event::Rule => {
                settle(&mut blocks, &mut loose);
                blocks.push(Block::Rule);
                continue;
            }
            Event::Start(tag) if is_block(&tag) => tag,
            event => {
                span(event, events, &mut loose)?;
                continue;
            }
        };
        settle(&mut blocks, &mut loose);
        blocks.push(match tag {
            Tag::Heading { level, .. } if level as usize == 1 => Block::Title(spans(events)?),
            Tag::Heading { .. } => Block::Heading(spans(events)?),
            Tag::Paragraph => Block::Paragraph(spans(events)?),
            Tag::List(from) => Block::List(from, items(events)?),
            Tag::BlockQuote(_) => Block::Commands(self::blocks(events)?),
            Tag::Table(_) => table(events)?,
            other => return Err(unsupported(&other)),
        });
    }
    settle(&mut blocks, &mut loose);
    Ok(blocks)
}

fn is_block(tag: &Tag<'_>) -> bool {
    !matches!(tag, Tag::Emphasis | Tag::Strong | Tag::Link { .. })
}

fn settle(blocks: &mut Vec<Block>, loose: &mut Vec<Span>) {
    if !loose.is_empty() {
        blocks.push(Block::Paragraph(std::mem::take(loose)));
    }
}

fn items(events: &mut Events<'_>) -> Result<Vec<Vec<Block>>, Unsupported> {
    let mut items = Vec::new();
    while let Some(Event::Start(Tag::Item)) = events.next() {
        items.push(blocks(events)?);
    }
    Ok(items)
}

fn table(events: &mut Events<'_>) -> Result<Block, Unsupported> {
    let (mut head, mut rows) = (Vec::new(), Vec::new());
    while let Some(Event::Start(tag)) = events.next() {
        let mut cells = Vec::new();
        while let Some(Event::Start(Tag::TableCell)) = events.next() {
            cells.push(spans(events)?);
        }
        match tag {
            Tag::TableHead => head = cells,
            _ => rows.push(cells),
        }
    }
    Ok(Block::Table { head, rows })
}

/// The spans until the end of what holds them.
fn spans(events: &mut Events<'_>) -> Result<Vec<Span>, Unsupported> {
    let mut spans = Vec::new();
    while let Some(event) = events.next() {
        if let Event::End(_) = event {
            break;
        }
        span(event, events, &mut spans)?;
    }
    Ok(spans)
}

fn span(event: Event<'_>, events: &mut Events<'_>, to: &mut Vec<Span>) -> Result<(), Unsupported> {
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
        Event::Start(Tag::Strong) => to.push(Span::Strong(spans(events)?)),
        Event::Start(Tag::Emphasis) => to.push(Span::Quoted(spans(events)?)),
        Event::Start(Tag::Link { dest_url, .. }) => to.push(Span::Link {
            url: dest_url.into_string(),
            label: spans(events)?,
        }),
        Event::Start(other) => return Err(unsupported(&other)),
        other => return Err(Unsupported(format!("{other:?}"))),
    }
    Ok(())
}

fn unsupported(tag: &Tag<'_>) -> Unsupported {
    let end: TagEnd = tag.to_end();
    Unsupported(format!("{end:?}"))
}
