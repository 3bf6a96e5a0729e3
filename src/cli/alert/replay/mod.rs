//! `alert replay`: applies the rules to the recorded history.

mod json;
mod text;

use std::path::PathBuf;
use std::sync::Arc;

use argh::{ArgsInfo, FromArgs};
use jiff::{SignedDuration, Timestamp};

use super::super::history::history_of;
use super::super::options::config_path;
use super::super::outcome::Failure;
use crate::alert::replay::replay;
use crate::config::{self, Alert, Config};
use crate::suggestion::advice;
use crate::wall_clock;

/// Most days that can be replayed.
const MAX_DAYS: u32 = 36_525;

/// Apply the rules to the recorded history, and print when they would have fired.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "replay",
    example = "Would this threshold have been right? Edit it in the file, and try again\n\
               $ {command_name} --alert tank_low",
    example = "Lengths of all incidents of ten years, for a script\n\
               $ {command_name} --days 3650 --json | jq '.alerts[].incidents[].seconds'",
    note = "It reads the history only: no server is needed, and one that records is not disturbed. Times are
in the time zone of [site]. Where single observations are deleted, quarters of an hour replace
them; days are not replayed. Rules on texts and on the server itself are listed with the reason
why they cannot be replayed.",
    error_code(0, "the rules are replayed, whether one would have fired or not"),
    error_code(1, "the configuration is wrong, has no such alert, or the history cannot be read")
)]
pub(super) struct Replay {
    /// configuration file (default: $PUMPHOUSE_CONFIG, else pumphouse.toml)
    #[argh(positional, arg_name = "FILE")]
    file: Option<PathBuf>,

    /// configuration file, in place of FILE
    #[argh(option, arg_name = "FILE")]
    config: Option<PathBuf>,

    /// number of days up to now (default: 365)
    #[argh(option, arg_name = "DAYS", default = "365", from_str_fn(days))]
    days: u32,

    /// only this alert; may be repeated
    #[argh(option, arg_name = "NAME")]
    alert: Vec<String>,

    /// print all incidents, not the latest 50 of each alert
    #[argh(switch)]
    all: bool,

    /// print JSON, with all incidents
    #[argh(switch)]
    json: bool,
}

impl Replay {
    pub(super) fn text(self) -> Result<String, Failure> {
        self.text_at(wall_clock::now())
    }

    /// Returns the text of the replay up to `now`.
    fn text_at(self, now: Timestamp) -> Result<String, Failure> {
        let config = config::load(&config_path(self.file, self.config)?)?;
        let alerts = selected(&config, &self.alert)?;
        if alerts.is_empty() {
            return Ok(match self.json {
                true => "{\"alerts\":[]}\n".to_owned(),
                false => "No alerts are configured.\n".to_owned(),
            });
        }
        let history = history_of(&config)?;
        let length = SignedDuration::from_hours(i64::from(self.days) * 24);
        let from = now.saturating_sub(length).unwrap_or(Timestamp::MIN);
        let replayed = replay(&history, &config, &alerts, (from, now))?;
        Ok(match self.json {
            true => json::render(&replayed),
            false => text::render(&replayed, self.days, self.all, &config.site.timezone),
        })
    }
}

/// Returns the alerts of these names, or all.
fn selected(config: &Config, names: &[String]) -> Result<Vec<Arc<Alert>>, Failure> {
    if names.is_empty() {
        return Ok(config.alerts.clone());
    }
    let known = || config.alerts.iter().map(|alert| &*alert.name);
    for name in names {
        if known().any(|known| known == name) {
            continue;
        }
        let advice = match known().next() {
            Some(_) => advice(name, known()),
            None => "no alerts are configured".to_owned(),
        };
        return Err(format!("--alert {name}: there is no such alert; {advice}").into());
    }
    let is_selected = |alert: &&Arc<Alert>| names.iter().any(|name| **name == *alert.name);
    Ok(config.alerts.iter().filter(is_selected).cloned().collect())
}

/// Parses the number of days.
fn days(text: &str) -> Result<u32, String> {
    let days: Option<u32> = text.parse().ok();
    days.filter(|days| (1..=MAX_DAYS).contains(days))
        .ok_or_else(|| format!("expected a number of days from 1 to {MAX_DAYS}"))
}

#[cfg(test)]
mod tests;
