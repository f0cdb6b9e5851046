//! The HTML part of a letter: styles stand at each element, since mail programs throw style sheets away.

use super::markup::{Block, Span};

const FONT: &str =
    "16px/1.6 -apple-system,'Segoe UI','PingFang SC','Microsoft YaHei',Helvetica,Arial,sans-serif";
const FIXED: &str =
    "font-family:ui-monospace,Consolas,Menlo,monospace;font-size:14px;overflow-wrap:anywhere;";
const BOX: &str = "margin:12px 0;padding:12px 16px;border:1px solid #8a97a8;border-radius:8px;";

/// Writes a page of blocks; `language` is a BCP 47 tag.
pub(super) fn write(blocks: &[Block], language: &str, subject: &str) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"supported-color-schemes\" content=\"light dark\">\n<title>{}</title>\n</head>\n\
         <body style=\"margin:0;padding:24px 16px;font:{FONT};\">\n\
         <main style=\"display:block;max-width:640px;margin:0 auto;\">\n",
        escaped(subject)
    );
    let mut small = false;
    for block in blocks {
        small |= matches!(block, Block::Rule);
        push(&mut html, block, small);
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

fn push(html: &mut String, block: &Block, small: bool) {
    let size = if small { "font-size:14px;" } else { "" };
    match block {
        Block::Title(spans) => open(
            html,
            "h1",
            "font-size:21px;line-height:1.35;margin:0 0 16px;",
            &line(spans),
        ),
        Block::Heading(spans) => open(
            html,
            "h2",
            "font-size:17px;line-height:1.35;margin:24px 0 4px;",
            &line(spans),
        ),
        Block::Paragraph(spans) => match spans.as_slice() {
            [Span::Link { label, url }] => button(html, label, url),
            spans => open(html, "p", &format!("margin:8px 0;{size}"), &line(spans)),
        },
        Block::List(from, items) => {
            let tag = if from.is_some() { "ol" } else { "ul" };
            html.push_str(&format!(
                "<{tag} style=\"margin:4px 0;padding-left:24px;{size}\">\n"
            ));
            for item in items {
                html.push_str("<li style=\"margin:2px 0;overflow-wrap:anywhere;\">");
                for (at, block) in item.iter().enumerate() {
                    match block {
                        Block::Paragraph(spans) if at == 0 => html.push_str(&line(spans)),
                        block => push(html, block, small),
                    }
                }
                html.push_str("</li>\n");
            }
            html.push_str(&format!("</{tag}>\n"));
        }
        Block::Table { head, rows } => table(html, head, rows),
        Block::Commands(blocks) => {
            html.push_str(&format!("<div style=\"{BOX}{FIXED}\">\n"));
            for block in blocks {
                match block {
                    Block::Paragraph(spans) => html.push_str(&line(spans)),
                    block => push(html, block, false),
                }
            }
            html.push_str("</div>\n");
        }
        Block::Rule => html
            .push_str("<hr style=\"border:0;border-top:1px solid #8a97a8;margin:24px 0 12px;\">\n"),
    }
}

fn table(html: &mut String, head: &[Vec<Span>], rows: &[Vec<Vec<Span>>]) {
    html.push_str(&format!(
        "<div style=\"{BOX}\"><table style=\"border-collapse:collapse;text-align:left;\">\n"
    ));
    if head.iter().any(|cell| !cell.is_empty()) {
        html.push_str("<tr>");
        for cell in head {
            html.push_str(&format!(
                "<th style=\"padding:2px 16px 2px 0;font-weight:600;vertical-align:top;\">{}</th>",
                line(cell)
            ));
        }
        html.push_str("</tr>\n");
    }
    for row in rows {
        html.push_str("<tr>");
        for cell in row {
            html.push_str(&format!("<td style=\"padding:2px 16px 2px 0;vertical-align:top;overflow-wrap:anywhere;\">{}</td>", line(cell)));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
}

fn button(html: &mut String, label: &[Span], url: &str) {
    let (label, url) = (line(label), escaped(url));
    html.push_str(&format!(
        "<p style=\"margin:16px 0 8px;\"><a href=\"{url}\" style=\"display:inline-block;padding:11px 24px;border-radius:8px;background:#0b5cad;color:#ffffff;font-weight:600;text-decoration:none;\">{label}</a></p>\n\
         <p style=\"margin:0 0 8px;font-size:13px;overflow-wrap:anywhere;\"><a href=\"{url}\" style=\"color:inherit;\">{url}</a></p>\n"
    ));
}

fn open(html: &mut String, tag: &str, style: &str, inner: &str) {
    html.push_str(&format!("<{tag} style=\"{style}\">{inner}</{tag}>\n"));
}

fn line(spans: &[Span]) -> String {
    let mut html = String::new();
    for span in spans {
        match span {
            Span::Text(text) => html.push_str(&escaped(text)),
            Span::Strong(inner) => html.push_str(&format!("<strong>{}</strong>", line(inner))),
            Span::Quoted(inner) => {
                html.push_str(&format!("<code style=\"{FIXED}\">{}</code>", line(inner)));
            }
            Span::Link { label, url } => {
                html.push_str(&format!(
                    "<a href=\"{}\" style=\"color:inherit;\">{}</a>",
                    escaped(url),
                    line(label)
                ));
            }
            Span::Break => html.push_str("<br>\n"),
        }
    }
    html
}

/// Escapes what HTML requires and no more: with its slashes escaped too, an address reads to a spam filter as
/// one that hides.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#x27;"),
            c => html.push(c),
        }
    }
    html
}
