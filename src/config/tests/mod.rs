//! Configurations as files, read with a fake environment.

use std::path::Path;

use super::*;

mod alerts;
mod channels;
mod faulty;
mod json_values;
mod renamed;
mod requests;
mod store;
mod valid;

fn environment(name: &str) -> Option<String> {
    (name == "TOKEN").then(|| "s3cret".to_owned())
}

fn read(text: &str) -> Result<Config, String> {
    parse(Path::new("p.toml"), text, &environment).map_err(|errors| errors.to_string())
}

const TANK: &str = "[[source]]\nname = \"tank\"\nkind = \"ptlevel\"\nurl = \"https://h/s/x\"\n\
                    height = 58\ncapacity = 1400\n";
