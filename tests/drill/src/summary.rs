//! What a drill of scenes has measured, as a table.

use std::{fmt, time::Duration};

use serde::Serialize;

/// A figure of a scene.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Of which scene.
    pub scene: &'static str,
    /// What was promised.
    pub promised: String,
    /// What was measured.
    pub measured: String,
    /// Whether it holds.
    pub ok: bool,
}

impl Row {
    pub(crate) fn within(
        scene: &'static str,
        what: &str,
        limit: Duration,
        measured: Duration,
    ) -> Self {
        Self {
            scene,
            promised: format!("{what} <= {:.0} s", limit.as_secs_f64()),
            measured: format!("{:.1} s", measured.as_secs_f64()),
            ok: measured <= limit,
        }
    }

    pub(crate) fn ratio(scene: &'static str, what: &str, limit: f64, measured: f64) -> Self {
        Self {
            scene,
            promised: format!("{what} <= {limit:.1}"),
            measured: format!("{measured:.2}"),
            ok: measured <= limit,
        }
    }

    pub(crate) fn none(scene: &'static str, what: &str, count: usize, among: usize) -> Self {
        Self {
            scene,
            promised: format!("{what}: 0"),
            measured: format!("{count} of {among}"),
            // Nothing is shown by nothing.
            ok: count == 0 && among > 0,
        }
    }
}

/// All figures.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// In the order of the scenes.
    pub rows: Vec<Row>,
}

impl Summary {
    /// Whether every promise was held.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.rows.iter().all(|row| row.ok)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |of: fn(&Row) -> &str| self.rows.iter().map(|row| of(row).len()).max();
        let scene = width(|row| row.scene).unwrap_or_default().max(5);
        let promised = width(|row| &row.promised).unwrap_or_default().max(8);
        let measured = width(|row| &row.measured).unwrap_or_default().max(8);
        writeln!(
            f,
            "{:scene$} | {:promised$} | {:measured$} | ok",
            "scene", "promised", "measured"
        )?;
        for row in &self.rows {
            writeln!(
                f,
                "{:scene$} | {:promised$} | {:measured$} | {}",
                row.scene,
                row.promised,
                row.measured,
                if row.ok { "yes" } else { "NO" }
            )?;
        }
        Ok(())
    }
}
