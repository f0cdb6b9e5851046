//! The HTML part of a letter: styles are inline, because mail programs ignore style sheets.

use super::markup::{Block, Span};

const BODY_FONT: &str =
    "16px/1.6 -apple-system,'Segoe UI','PingFang SC','Microsoft YaHei',Helvetica,Arial,sans-serif";
const FIXED_WIDTH_STYLE: &str =
    "font-family:ui-monospace,Consolas,Menlo,monospace;font-size:14px;overflow-wrap:anywhere;";
const BOX_STYLE: &str =
    "margin:12px 0;padding:12px 16px;border:1px solid #8a97a8;border-radius:8px;";

/// Writes a page of blocks; `language` is a BCP 47 tag.
pub(super) fn render_html(blocks: &[Block], language: &str, subject: &str) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"supported-color-schemes\" content=\"light dark\">\n<title>{}</title>\n</head>\n\
         <body style=\"margin:0;padding:24px 16px;font:{BODY_FONT};\">\n\
         <main style=\"display:block;max-width:640px;margin:0 auto;\">\n",
        escape_html(subject)
    );
    let mut small = false;
    for block in blocks {
        small |= matches!(block, Block::Rule);
        push_block(&mut html, block, small);
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

fn push_block(html: &mut String, block: &Block, small: bool) {
    let size = if small { "font-size:14px;" } else { "" };
    match block {
        Block::Title(spans) => push_element(
            html,
            "h1",
            "font-size:21px;line-height:1.35;margin:0 0 16px;",
            &render_line(spans),
        ),
        Block::Heading(spans) => push_element(
            html,
            "h2",
            "font-size:17px;line-height:1.35;margin:24px 0 4px;",
            &render_line(spans),
        ),
        Block::Paragraph(spans) => match spans.as_slice() {
            [Span::Link { label, url }] => push_button(html, label, url),
            spans => push_element(
                html,
                "p",
                &format!("margin:8px 0;{size}"),
                &render_line(spans),
            ),
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
                        Block::Paragraph(spans) if at == 0 => html.push_str(&render_line(spans)),
                        block => push_block(html, block, small),
                    }
                }
                html.push_str("</li>\n");
            }
            html.push_str(&format!("</{tag}>\n"));
        }
        Block::Table { head, rows } => push_table(html, head, rows),
        Block::Commands(blocks) => {
            html.push_str(&format!("<div style=\"{BOX_STYLE}{FIXED_WIDTH_STYLE}\">\n"));
            for block in blocks {
                match block {
                    Block::Paragraph(spans) => html.push_str(&render_line(spans)),
                    block => push_block(html, block, false),
                }
            }
            html.push_str("</div>\n");
        }
        Block::Rule => html
            .push_str("<hr style=\"border:0;border-top:1px solid #8a97a8;margin:24px 0 12px;\">\n"),
    }
}

fn push_table(html: &mut String, head: &[Vec<Span>], rows: &[Vec<Vec<Span>>]) {
    html.push_str(&format!(
        "<div style=\"{BOX_STYLE}\"><table style=\"border-collapse:collapse;text-align:left;\">\n"
    ));
    if head.iter().any(|cell| !cell.is_empty()) {
        html.push_str("<tr>");
        for cell in head {
            html.push_str(&format!(
                "<th style=\"padding:2px 16px 2px 0;font-weight:600;vertical-align:top;\">{}</th>",
                render_line(cell)
            ));
        }
        html.push_str("</tr>\n");
    }
    for row in rows {
        html.push_str("<tr>");
        for cell in row {
            html.push_str(&format!("<td style=\"padding:2px 16px 2px 0;vertical-align:top;overflow-wrap:anywhere;\">{}</td>", render_line(cell)));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
}

fn push_button(html: &mut String, label: &[Span], url: &str) {
    let (label, url) = (render_line(label), escape_html(url));
    html.push_str(&format!(
        "<p style=\"margin:16px 0 8px;\"><a href=\"{url}\" style=\"display:inline-block;padding:11px 24px;border-radius:8px;background:#0b5cad;color:#ffffff;font-weight:600;text-decoration:none;\">{label}</a></p>\n\
         <p style=\"margin:0 0 8px;font-size:13px;overflow-wrap:anywhere;\"><a href=\"{url}\" style=\"color:inherit;\">{url}</a></p>\n"
    ));
}

fn push_element(html: &mut String, tag: &str, style: &str, inner: &str) {
    html.push_str(&format!("<{tag} style=\"{style}\">{inner}</{tag}>\n"));
}

fn render_line(spans: &[Span]) -> String {
    let mut html = String::new();
    for span in spans {
        match span {
            Span::Text(text) => html.push_str(&escape_html(text)),
            Span::Strong(inner) => {
                html.push_str(&format!("<strong>{}</strong>", render_line(inner)));
            }
            Span::Quoted(inner) => {
                html.push_str(&format!(
                    "<code style=\"{FIXED_WIDTH_STYLE}\">{}</code>",
                    render_line(inner)
                ));
            }
            Span::Link { label, url } => {
                html.push_str(&format!(
                    "<a href=\"{}\" style=\"color:inherit;\">{}</a>",
                    escape_html(url),
                    render_line(label)
                ));
            }
            Span::Break => html.push_str("<br>\n"),
        }
    }
    html
}

/// Escapes what HTML requires and no more: with its slashes escaped too, an address reads to a spam filter as
/// one that hides.
fn escape_html(text: &str) -> String {
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
