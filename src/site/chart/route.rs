//! `/chart/{source}.{field}.svg`: a chart that stands alone, for other pages to show.

use super::{Missing, Range, Size, WIDE, Wanted};
use crate::history::HistoryError;
use crate::http::Response;
use crate::site::Site;
use crate::site::api::find;
use crate::site::deliver::{Policy, deliver};
use crate::site::freshness::policy;
use crate::site::history::{unavailable, unrecorded};
use crate::site::problem::Problem;
use crate::site::query::{self, Pairs};
use crate::site::render::render_for;
use crate::site::routes::Ask;

/// The colours and letters of a chart that no page styles.
const STYLE: &str = include_str!("../assets/chart.css");

/// Makes the chart dark where the viewer's preference is not to decide.
const DARK: &str = include_str!("../assets/chart_dark.css");

/// Sides that a chart may have.
pub(in crate::site) const SIDES: std::ops::RangeInclusive<u32> = 160..=2400;

/// A picture of a chart.
pub(in crate::site) fn picture(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    let unknown = || Problem::not_found("There is no source and field of that name.");
    let name = ask.parameter.strip_suffix(".svg").ok_or_else(|| {
        Problem::not_found("Charts are pictures: add .svg, as in /chart/tank.level.svg.")
    })?;
    let query::Field { source, field } = query::field(name).ok_or_else(unknown)?;
    let mut pairs = Pairs::of(&ask.request.target)?;
    let range = pairs.take("range").map_or(Some(Range::Day), |name| Range::parse(&name));
    let range = range.ok_or_else(|| {
        let names = Range::ALL.map(Range::as_str).join(", ");
        Problem::bad_request(format!("range is one of {names}."))
    })?;
    let mut side = |name, usual| {
        let side = pairs.take(name).map_or(Some(usual), |text| query::whole_number(&text));
        side.filter(|side| SIDES.contains(side)).ok_or_else(|| {
            let (least, most) = (SIDES.start(), SIDES.end());
            Problem::bad_request(format!("{name} is a number from {least} to {most}."))
        })
    };
    let size = Size { width: side("width", WIDE.width)?, height: side("height", WIDE.height)? };
    let style = match pairs.take("theme").as_deref() {
        None | Some("auto") => {
            format!("{STYLE}@media (prefers-color-scheme: dark) {{ {DARK} }}")
        }
        Some("light") => STYLE.to_owned(),
        Some("dark") => format!("{STYLE}{DARK}"),
        Some(_) => return Err(Problem::bad_request("theme is auto, light or dark.")),
    };
    pairs.finish()?;
    let snapshot = (site.snapshots)();
    let view = find(&snapshot.sources, &source).ok_or_else(unknown)?;
    if !site.history.is_enabled() {
        return Err(unavailable(&HistoryError::Off));
    }
    let wanted = Wanted { source: view, field: &field, range, size, style: Some(&style) };
    let chart =
        site.charts.chart(&site.history, wanted, ask.now).map_err(|missing| match missing {
            Missing::Never => unrecorded(Some(view), &source, &field),
            Missing::Nothing => Problem::not_found(format!(
                "Nothing of {source}.{field} was recorded in the last {}.",
                range.words()
            )),
            Missing::Unavailable => {
                Problem::unavailable("The history cannot be read now.").retry_after(2)
            }
        })?;
    let body = chart.svg.clone().into_bytes();
    let rendered = render_for(&ask.request.headers, "image/svg+xml", body.into());
    let fresh = policy([view].into_iter(), ask.now);
    deliver(&ask.request.headers, &rendered, Policy { last_modified: None, dates: None, ..fresh })
}
