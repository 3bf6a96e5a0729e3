//! Goals, and whether they were reached.

use std::fmt;

/// A goal and the result that was measured.
pub struct Goal {
    name: String,
    wanted: String,
    measured: String,
    reached: bool,
    of_speed: bool,
}

impl Goal {
    /// Returns a goal for a result that must not exceed `limit`.
    pub fn at_most(name: impl Into<String>, result: f64, limit: f64, unit: &str) -> Goal {
        let digits = if result.fract() == 0.0 { 0 } else { 1 };
        Goal {
            name: name.into(),
            wanted: format!("≤ {limit} {unit}").trim_end().to_owned(),
            measured: format!("{result:.digits$} {unit}").trim_end().to_owned(),
            reached: result <= limit,
            of_speed: false,
        }
    }

    /// Returns a goal that all of `of` are reached, of which there must be at least one.
    pub fn all(name: impl Into<String>, of: usize, reached: usize) -> Goal {
        Goal {
            name: name.into(),
            wanted: "100 %".to_owned(),
            measured: format!("{reached} of {of}"),
            reached: of > 0 && reached == of,
            of_speed: false,
        }
    }

    /// Marks a goal that a slow machine may miss.
    pub fn of_speed(self) -> Goal {
        Goal { of_speed: true, ..self }
    }

    /// Returns true if the goal was reached, or depends on the machine's speed.
    pub fn is_reached_if_slow(&self) -> bool {
        self.reached || self.of_speed
    }

    /// Returns true if the goal was reached.
    pub fn is_reached(&self) -> bool {
        self.reached
    }
}

/// A table of goals.
pub struct Goals<'a>(pub &'a [Goal]);

impl fmt::Display for Goals<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| goal | wanted | measured | |\n| --- | --- | --- | --- |")?;
        for Goal { name, wanted, measured, reached, .. } in self.0 {
            let verdict = if *reached { "reached" } else { "**missed**" };
            writeln!(f, "| {name} | {wanted} | {measured} | {verdict} |")?;
        }
        Ok(())
    }
}
