//! Names, groups and tables of a fleet's sources.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

const REGIONS: [&str; 6] = ["north", "south", "east", "west", "upper_valley", "lower_valley"];
const SITES: [&str; 8] =
    ["ridge", "creek", "orchard", "mill", "spring_house", "county_road_9", "dam", "quarry"];
const DEVICES: [&str; 4] = ["tank", "well", "booster", "reservoir"];

/// Returns the group and the name of a source, such as `north/ridge` and `north_ridge_tank_0017`.
fn group_and_name(number: usize) -> (String, String) {
    let region = REGIONS[number % REGIONS.len()];
    let site = SITES[number / REGIONS.len() % SITES.len()];
    let device = DEVICES[number / (REGIONS.len() * SITES.len()) % DEVICES.len()];
    (format!("{region}/{site}"), format!("{region}_{site}_{device}_{number:04}"))
}

/// Returns the names of the sources, each in a line.
pub fn lines(sources: usize) -> String {
    (0..sources).map(|number| group_and_name(number).1 + "\n").collect()
}

/// Returns the `[[source]]` tables of a fleet. Each source has four values and the trends of a tank.
pub fn tables(
    sources: usize,
    upstream: SocketAddr,
    interval: Duration,
    timeout: Duration,
) -> String {
    let mut text = String::new();
    for number in 0..sources {
        let (group, name) = group_and_name(number);
        let title = name.replace('_', " ");
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "[[source]]\nname = \"{name}\"\ntitle = \"{title}\"\ngroup = \"{group}\"\n\
             kind = \"json\"\nurl = \"http://{upstream}/source/{number}\"\n\
             interval = \"{}ms\"\ntimeout = \"{}ms\"\nstale_after = \"1d\"\n\
             observed_at = {{ pointer = \"/at\", format = \"unix\" }}\n\
             [source.values.level]\npointer = \"/line/level\"\nunit = \"%\"\n\
             [source.values.depth]\npointer = \"/line/depth\"\nunit = \"in\"\n\
             [source.values.volume]\npointer = \"/line/volume\"\nunit = \"gal\"\n\
             [source.values.pressure]\npointer = \"/line/pressure\"\nunit = \"inHg\"\n\
             [source.trends.volume]\n",
            interval.as_millis(),
            timeout.as_millis(),
        );
    }
    text
}
