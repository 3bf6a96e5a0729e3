//! Questions about the tank.

use super::answers::{self, Tank};
use super::dialog::{Dialog, DialogError, ask, ask_hidden};
use super::options::{Options, OptionsError};
use super::tank::{Measure, MeasureError, TankKind, usual_length, usual_volume};
use crate::config::SourceUrl;
use crate::units::{System, Unit};

/// The tank as far as the options describe it.
#[derive(Debug)]
pub(super) struct TankQuestions {
    kind: TankKind,
    units: System,
    /// Inches.
    height: Option<f64>,
    /// US gallons.
    capacity: Option<f64>,
    device: Option<String>,
    url: Option<SourceUrl>,
    pointer: Option<String>,
    unit: Option<Unit>,
}

fn measure(
    option: &'static str,
    measure: Option<Measure>,
    wanted: Unit,
    usual: Unit,
) -> Result<Option<f64>, OptionsError> {
    let number = measure.map(|measure| measure.number_in(wanted, usual)).transpose();
    number.map_err(|reason| OptionsError::Measure { option, reason })
}

/// Reads a secret of the tank; `None` if the input has none, which is completed later.
fn tank_secret<T>(
    dialog: &mut dyn Dialog,
    question: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, DialogError> {
    let question = format!("{question} (empty: later)");
    let parsed = ask_hidden(dialog, &question, |_, line| {
        Ok(if line.trim().is_empty() { Ok(None) } else { parse(&line).map(Some) })
    });
    match parsed {
        Err(DialogError::Ended { .. }) if !dialog.is_interactive() => Ok(None),
        parsed => parsed,
    }
}

/// Asks for a part of the tank that was not given; `None` if it is completed later.
fn tank_part<T>(
    dialog: &mut dyn Dialog,
    given: Option<T>,
    question: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, DialogError> {
    if given.is_some() || !dialog.is_interactive() {
        return Ok(given);
    }
    let parse = |text: &str| if text.is_empty() { Ok(None) } else { parse(text).map(Some) };
    ask(dialog, &format!("{question} (empty: later)"), None, parse)
}

impl TankQuestions {
    /// Checks the measures.
    ///
    /// # Errors
    /// One is in the unit of another quantity.
    pub(super) fn new(
        kind: TankKind,
        units: System,
        options: &Options,
    ) -> Result<TankQuestions, OptionsError> {
        let (length, volume) = (usual_length(units), usual_volume(units));
        Ok(TankQuestions {
            kind,
            units,
            height: measure("height", options.height, Unit::Inch, length)?,
            capacity: measure("capacity", options.capacity, Unit::UsGallon, volume)?,
            device: options.device.clone(),
            url: options.tank_url.clone(),
            pointer: options.pointer.clone(),
            unit: options.unit,
        })
    }

    /// Returns true if the tank has a secret.
    pub(super) fn expects_secret(&self) -> bool {
        matches!(self.kind, TankKind::PtLevel | TankKind::PtDevices)
    }

    /// Asks for missing parts; with `asks_all` also for those that have a default.
    ///
    /// # Errors
    /// Those of the questions.
    pub(super) fn ask(
        self,
        zone: Option<String>,
        asks_all: bool,
        dialog: &mut dyn Dialog,
    ) -> Result<Tank, DialogError> {
        match self.kind {
            TankKind::None => Ok(Tank::None),
            TankKind::PtLevel => self.ptlevel(dialog),
            TankKind::PtDevices => {
                let token = tank_secret(dialog, "Token of the PTDevices API", answers::token)?;
                let question = "Number or MAC address of the device";
                let device = tank_part(dialog, self.device, question, answers::device)?;
                Ok(Tank::PtDevices { device, token, zone })
            }
            TankKind::Json => self.json(asks_all, dialog),
        }
    }

    fn ptlevel(self, dialog: &mut dyn Dialog) -> Result<Tank, DialogError> {
        let parse = |wanted: Unit, usual: Unit| {
            move |text: &str| -> Result<f64, String> {
                let measure: Measure =
                    text.parse().map_err(|error: MeasureError| error.to_string())?;
                measure.number_in(wanted, usual)
            }
        };
        let link = tank_secret(dialog, "Link of the PTLevel share page", answers::url)?;
        let (length, volume) = (usual_length(self.units), usual_volume(self.units));
        let (height, capacity) = match self.units {
            System::Us => ("58 in", "1400 gal"),
            System::Metric => ("147 cm", "5300 L"),
        };
        let question = format!("Height of the full tank, such as {height}");
        let height = tank_part(dialog, self.height, &question, parse(Unit::Inch, length))?;
        let question = format!("Volume of the full tank, such as {capacity}");
        let capacity = tank_part(dialog, self.capacity, &question, parse(Unit::UsGallon, volume))?;
        Ok(Tank::PtLevel { link, height, capacity })
    }

    fn json(self, asks_all: bool, dialog: &mut dyn Dialog) -> Result<Tank, DialogError> {
        let url = tank_part(dialog, self.url, "URL of the JSON document", answers::url)?;
        let question = "JSON pointer to the value, such as /tank/level";
        let pointer = tank_part(dialog, self.pointer, question, answers::pointer)?;
        let unit = match self.unit {
            Some(unit) => unit,
            None if !asks_all => Unit::Percent,
            None => ask(dialog, "Unit of the value", Some("%"), answers::unit)?,
        };
        Ok(Tank::Json { url, pointer, unit })
    }
}
