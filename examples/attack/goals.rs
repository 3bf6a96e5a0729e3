//! What an attack must not achieve.

use std::fmt;

/// Something to be reached, and whether it was.
pub struct Goal {
    what: String,
    wanted: String,
    measured: String,
    reached: bool,
    of_speed: bool,
}

impl Goal {
    /// A figure that must not exceed `most`.
    pub fn at_most(what: impl Into<String>, figure: f64, most: f64, unit: &str) -> Goal {
        let digits = if figure.fract() == 0.0 { 0 } else { 1 };
        Goal {
            what: what.into(),
            wanted: format!("≤ {most} {unit}").trim_end().to_owned(),
            measured: format!("{figure:.digits$} {unit}").trim_end().to_owned(),
            reached: figure <= most,
            of_speed: false,
        }
    }

    /// All of so many, of which there must be some.
    pub fn all(what: impl Into<String>, of: usize, reached: usize) -> Goal {
        Goal {
            what: what.into(),
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

    /// Returns true if it was reached, or depends on the machine's speed.
    pub fn is_reached_if_slow(&self) -> bool {
        self.reached || self.of_speed
    }

    /// Whether it was reached.
    pub fn is_reached(&self) -> bool {
        self.reached
    }
}

/// A table of goals.
pub struct Goals<'a>(pub &'a [Goal]);

impl fmt::Display for Goals<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| goal | wanted | measured | |\n| --- | --- | --- | --- |")?;
        for Goal { what, wanted, measured, reached, .. } in self.0 {
            let verdict = if *reached { "reached" } else { "**missed**" };
            writeln!(f, "| {what} | {wanted} | {measured} | {verdict} |")?;
        }
        Ok(())
    }
}
