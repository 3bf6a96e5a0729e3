//! Configurations that use earlier names of fields.

use std::sync::Arc;

use super::*;
use crate::units::Unit;

#[test]
fn renamed_field_is_accepted_with_a_warning() {
    const AMBIENT: &str = "[[source]]\nname = \"w\"\nkind = \"ambient\"\napi_key = \"a\"\n\
                           application_key = \"b\"\n";
    let config = read(&format!(
        "{AMBIENT}show = [\"humidity\", \"rain\", \"rain_change_1h\", \"rain_daily\", \
         \"rain_daily_rate\", \"rain_rate\"]\n\
         [source.fields.rain]\nunit = \"mm\"\n[source.fields.rain_daily]\nunit = \"mm\"\n\
         [source.trends.rain_daily]\n"
    ))
    .unwrap();
    let source = &config.sources[0];
    let shown = [
        "humidity",
        "rain_rate",
        "rain_rate_change_1h",
        "rain_today",
        "rain_today_rate",
        "rain_rate",
    ];
    assert_eq!(source.show, shown.map(Arc::from));
    let units =
        [("rain_rate".into(), Unit::MillimetrePerHour), ("rain_today".into(), Unit::Millimetre)];
    assert_eq!(source.units.fields, units);
    assert_eq!(source.trends[0].fields, ["rain_today".into()]);
    let [rate, today] = &config.warnings[..] else { panic!("{:?}", config.warnings) };
    for text in ["[[source]] \"w\": the field \"rain\"", "\"rain_rate\", a rate per hour"] {
        assert!(rate.contains(text), "{rate}");
    }
    for text in ["\"rain_daily\"", "\"rain_today\"", "\"show\"", "[source.trends.rain_daily]"] {
        assert!(today.contains(text), "{today}");
    }

    // The new name has priority, and needs no warning.
    let both = "[source.fields.rain_rate]\nunit = \"in/h\"\n";
    let config = read(&format!("{AMBIENT}show = [\"rain_today\"]\n{both}")).unwrap();
    assert_eq!(config.warnings, [] as [&str; 0]);
    let config = read(&format!("{AMBIENT}[source.fields.rain]\nunit = \"mm\"\n{both}")).unwrap();
    assert_eq!(config.sources[0].units.fields, [("rain_rate".into(), Unit::InchPerHour)]);

    // A name that is in use again stays; its unit is also that of the field that had the name.
    let config = read(
        "[[source]]\nname = \"w\"\nkind = \"open-meteo\"\nlatitude = 1\nlongitude = 2\n\
         show = [\"pressure\"]\n[source.fields.pressure]\nunit = \"hPa\"\n",
    )
    .unwrap();
    assert_eq!(config.sources[0].show, ["pressure".into()]);
    let units = ["pressure", "station_pressure"].map(|name| (name.into(), Unit::Hectopascal));
    assert_eq!(config.sources[0].units.fields, units);
    assert_eq!(config.warnings, [] as [&str; 0]);

    // Other kinds use the names as their upstreams do.
    let json = "[[source]]\nname = \"w\"\nkind = \"json\"\nurl = \"http://h/\"\n\
                show = [\"rain\"]\n[source.values.rain]\npointer = \"/r\"\n";
    assert_eq!(read(json).unwrap().sources[0].show, ["rain".into()]);
}
