//! What was measured: as JSON, as a table, as a picture.

use std::{fmt::Write, fs, io, path::Path};

use serde::Serialize;

use crate::stats::Median;

/// Everything of one run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What requests cost.
    pub costs: Vec<Cost>,
    /// What akgate adds to the time of an answer.
    pub added: Added,
    /// What akgate's own histogram says.
    pub served: Served,
    /// Mutations.
    pub mutations: Mutations,
    /// Resident memory of akgate at the end, in MiB.
    pub resident: f64,
}

/// What a request costs a proxy.
#[derive(Debug, Serialize)]
pub struct Cost {
    /// The proxy.
    pub peer: String,
    /// The requests.
    pub what: String,
    /// To plain nginx in the same pair of windows.
    pub ratio: Median,
    /// Microseconds of CPU per request.
    pub micros: Median,
    /// The same of plain nginx.
    pub nginx_micros: Median,
    /// Answers per second in a window.
    pub per_second: f64,
    /// Pairs of windows.
    pub pairs: usize,
    /// The ratio of each pair.
    pub ratios: Vec<f64>,
}

/// What akgate adds to nginx's median at an open load.
#[derive(Debug, Serialize)]
pub struct Added {
    /// Requests per second.
    pub rate: f64,
    /// nginx's median, in microseconds.
    pub nginx_p50_micros: f64,
    /// akgate's median, in microseconds.
    pub akgate_p50_micros: f64,
    /// The difference within each pair of windows, in microseconds.
    pub added_micros: Median,
}

/// What akgate's own histogram says: bounds of the buckets that hold the quantiles.
#[derive(Debug, Serialize)]
pub struct Served {
    /// Requests per second.
    pub rate: f64,
    /// Calls counted.
    pub calls: f64,
    /// Half of them took less, in microseconds.
    pub p50_micros_below: f64,
    /// 99 of 100 took less, in microseconds.
    pub p99_micros_below: f64,
}

/// Mutations, each with a durable intent.
#[derive(Debug, Serialize)]
pub struct Mutations {
    /// Callers at a time.
    pub connections: usize,
    /// How many.
    pub per_second: Median,
}

/// Between these lines the page is written anew by each run.
const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

impl Report {
    /// The table, in Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::from(
            "| proxy | requests | CPU per request, plain nginx = 1 [90 % interval] | µs | nginx's µs | answers/s |\n\
             | --- | --- | --- | --- | --- | --- |\n",
        );
        for cost in &self.costs {
            let Median { value, low, high } = cost.ratio;
            // Writing to a text never fails.
            let _ = writeln!(
                text,
                "| {} | {} | **{value:.2}** [{low:.2}–{high:.2}] | {:.1} | {:.1} | {:.0} |",
                cost.peer, cost.what, cost.micros.value, cost.nginx_micros.value, cost.per_second
            );
        }
        let Added {
            rate,
            nginx_p50_micros,
            akgate_p50_micros,
            added_micros,
        } = &self.added;
        let pairs = self.costs.first().map_or(0, |cost| cost.pairs);
        let _ = write!(
            text,
            "\nEach row: {pairs} interleaved pairs of windows.\n\n\
             - At {rate:.0} requests/s, open load: nginx p50 {nginx_p50_micros:.0} µs, akgate p50 \
             {akgate_p50_micros:.0} µs; added {:.0} µs [{:.0}–{:.0}].\n\
             - akgate's own histogram at that rate, upstream included, {:.0} calls: p50 < {:.0} µs, p99 < {:.0} µs.\n\
             - Mutations with a durable intent, {} callers: {:.0}/s [{:.0}–{:.0}].\n\
             - Resident memory of akgate at the end: {:.0} MiB.\n",
            added_micros.value,
            added_micros.low,
            added_micros.high,
            self.served.calls,
            self.served.p50_micros_below,
            self.served.p99_micros_below,
            self.mutations.connections,
            self.mutations.per_second.value,
            self.mutations.per_second.low,
            self.mutations.per_second.high,
            self.resident,
        );
        text
    }

    /// Writes the table into the page, between its marks.
    ///
    /// # Errors
    /// That of the system, and for a page without marks.
    pub fn write_page(&self, page: &Path) -> io::Result<()> {
        let text = fs::read_to_string(page)?;
        let (before, rest) = text
            .split_once(BEGIN)
            .ok_or_else(|| io::Error::other("the page has no marks"))?;
        let (_, after) = rest
            .split_once(END)
            .ok_or_else(|| io::Error::other("the page has no marks"))?;
        fs::write(
            page,
            format!("{before}{BEGIN}\n{}{END}{after}", self.table()),
        )
    }

    /// The ratios as bars, with their intervals.
    #[must_use]
    pub fn picture(&self) -> String {
        const LEFT: f64 = 300.0;
        const WIDTH: f64 = 900.0;
        const ROW: f64 = 30.0;
        let largest = self
            .costs
            .iter()
            .map(|cost| cost.ratio.high)
            .fold(1.0, f64::max);
        let scale = (WIDTH - LEFT - 110.0) / largest;
        let height = 70.0 + ROW * (self.costs.len() as f64 + 1.0);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-50 0 950 {height}\" role=\"img\" \
             aria-label=\"CPU per request, plain nginx = 1\">\n<style>\n\
             svg {{ font: 14px system-ui, sans-serif; background: #fff; }}\n\
             text {{ fill: #1c2430; }} .soft {{ fill: #566072; }} .own {{ fill: #0b5cad; }} .other {{ fill: #9aa5b5; }}\n\
             line {{ stroke: #1c2430; stroke-width: 1.5; }}\n\
             @media (prefers-color-scheme: dark) {{ svg {{ background: #11161d; }} text {{ fill: #e7ebf0; }} \
             .soft {{ fill: #a5afbd; }} .own {{ fill: #6cb2ff; }} .other {{ fill: #5b6676; }} line {{ stroke: #e7ebf0; }} }}\n\
             </style>\n<text x=\"-38\" y=\"26\" font-weight=\"600\">CPU per request, plain nginx = 1; the line is the \
             90 % interval</text>\n"
        );
        let plain = ("nginx, no checks".to_owned(), 1.0, None);
        let rows = self.costs.iter().map(|cost| {
            let name = format!("{}: {}", cost.peer, cost.what);
            (name, cost.ratio.value, Some(cost.ratio))
        });
        for (n, (name, value, interval)) in std::iter::once(plain).chain(rows).enumerate() {
            let y = 44.0 + ROW * n as f64;
            let middle = y + 11.0;
            let class = if name.starts_with("akgate") {
                "own"
            } else {
                "other"
            };
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\n\
                 <rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{:.1}\" height=\"20\" rx=\"3\"/>",
                LEFT - 10.0,
                y + 15.0,
                value * scale
            );
            if let Some(interval) = interval {
                let _ = writeln!(
                    svg,
                    "<line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle}\" y2=\"{middle}\"/>",
                    LEFT + interval.low * scale,
                    LEFT + interval.high * scale
                );
            }
            let end = interval.map_or(value, |interval| interval.high.max(value));
            let _ = writeln!(
                svg,
                "<text class=\"soft\" x=\"{:.1}\" y=\"{}\">{value:.2}</text>",
                LEFT + end * scale + 8.0,
                y + 15.0
            );
        }
        svg.push_str("</svg>\n");
        svg
    }
}
