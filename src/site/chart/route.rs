//! `/chart/{source}.{field}.svg`: a chart that stands alone, for other pages to show.

use std::sync::Arc;
use std::task::Poll;

use super::drawing::Drawing;
use super::{Chart, Known, Missing, Outcome, Range, Size, WIDE, Wanted};
use crate::board::{Rendered, SourceView};
use crate::engine::Response;
use crate::history::HistoryError;
use crate::site::Site;
use crate::site::answer::Answer;
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

/// Colours of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Theme {
    Auto,
    Light,
    Dark,
}

impl Theme {
    pub(super) const ALL: [Theme; 3] = [Theme::Auto, Theme::Light, Theme::Dark];

    fn parse(name: &str) -> Option<Theme> {
        match name {
            "auto" => Some(Theme::Auto),
            "light" => Some(Theme::Light),
            "dark" => Some(Theme::Dark),
            _ => None,
        }
    }

    fn style(self) -> String {
        match self {
            Theme::Auto => format!("{STYLE}@media (prefers-color-scheme: dark) {{ {DARK} }}"),
            Theme::Light => STYLE.to_owned(),
            Theme::Dark => format!("{STYLE}{DARK}"),
        }
    }
}

/// Media type of a picture.
const SVG: &str = "image/svg+xml";

impl Chart {
    /// The picture of the default size, rendered and compressed once.
    fn default_picture(&self, theme: Theme) -> &Rendered {
        self.pictures[theme as usize]
            .get_or_init(|| Rendered::new(SVG, self.svg(WIDE, Some(&theme.style()))))
    }
}

/// A picture of a chart.
///
/// Once the chart is drawn, the default size is sent at once. A client may invent a size for every
/// request, so each other one is rendered under a permit.
pub(in crate::site) fn picture(site: &Site, ask: &Ask<'_>) -> Result<Answer, Problem> {
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
    let theme = pairs.take("theme").map_or(Some(Theme::Auto), |name| Theme::parse(&name));
    let theme = theme.ok_or_else(|| Problem::bad_request("theme is auto, light or dark."))?;
    pairs.finish()?;
    let snapshot = (site.snapshots)();
    let view = find(&snapshot.sources, &source).ok_or_else(unknown)?;
    if !site.history.is_enabled() {
        return Err(unavailable(&HistoryError::Off));
    }
    let wanted = Wanted { source: view, field: &field, range };
    let known = site.charts.look(&site.history, wanted, ask.now);
    let picture = Picture { view: view.clone(), field, range, size, theme };
    match known {
        Known::Current(Ok(chart)) if size != WIDE && !site.charts.is_stalled() => {
            let (waiting, shown) = (picture.clone(), Arc::clone(&chart));
            Ok(Answer::unfinished_or(
                move |_, ask| picture.respond(ask, Ok(chart)).map(Answer::Ready),
                move |_, ask| waiting.respond_without_permit(ask, Ok(shown)).map(Answer::Ready),
            ))
        }
        Known::Current(outcome) => picture.respond_without_permit(ask, outcome).map(Answer::Ready),
        Known::Outdated(shown) if site.charts.is_stalled() => {
            let shown = Known::Outdated(shown).best();
            picture.respond_without_permit(ask, shown).map(Answer::Ready)
        }
        Known::Outdated(shown) => {
            let drawing = Drawing::new(&site.history, picture.wanted(), ask.now);
            Ok(picture.drawn(drawing, shown))
        }
    }
}

/// A requested picture.
#[derive(Clone)]
struct Picture {
    view: SourceView,
    field: String,
    range: Range,
    size: Size,
    theme: Theme,
}

impl Picture {
    fn wanted(&self) -> Wanted<'_> {
        Wanted { source: &self.view, field: &self.field, range: self.range }
    }

    /// Draws on; shows the chart of before where that has to wait.
    fn drawn(self, mut drawing: Drawing, shown: Option<Outcome>) -> Answer {
        let (picture, outdated) = (self.clone(), shown.clone());
        let next = move |site: &Site, ask: &Ask<'_>| match drawing.advance(site) {
            Poll::Ready(outcome) => picture.respond(ask, outcome).map(Answer::Ready),
            Poll::Pending => Ok(picture.drawn(drawing, outdated)),
        };
        match shown {
            None => Answer::unfinished(next),
            Some(shown) => Answer::unfinished_or(next, move |_, ask| {
                self.respond_without_permit(ask, shown).map(Answer::Ready)
            }),
        }
    }

    fn respond(&self, ask: &Ask<'_>, outcome: Outcome) -> Result<Response, Problem> {
        self.respond_by(ask, outcome, |svg| render_for(&ask.request.headers, SVG, svg.into()))
    }

    /// Compresses only the default size: that is most of the work, and done once for a chart.
    fn respond_without_permit(&self, ask: &Ask<'_>, outcome: Outcome) -> Result<Response, Problem> {
        self.respond_by(ask, outcome, |svg| Rendered::uncompressed(SVG, svg))
    }

    fn respond_by(
        &self,
        ask: &Ask<'_>,
        outcome: Outcome,
        render: impl FnOnce(String) -> Rendered,
    ) -> Result<Response, Problem> {
        let Picture { view, field, range, size, theme } = self;
        let chart = outcome.map_err(|missing| match missing {
            Missing::Never => unrecorded(Some(view), &view.name, field),
            Missing::Nothing => Problem::not_found(format!(
                "Nothing of {}.{field} was recorded in the last {}.",
                view.name,
                range.words()
            )),
            Missing::Unavailable | Missing::Undrawn => {
                Problem::unavailable("The history cannot be read now.").retry_after(2)
            }
        })?;
        let rendered = if *size == WIDE {
            chart.default_picture(*theme).clone()
        } else {
            render(chart.svg(*size, Some(&theme.style())))
        };
        let fresh = policy([view].into_iter(), ask.now);
        let policy = Policy { last_modified: None, dates: None, ..fresh };
        deliver(&ask.request.headers, &rendered, policy)
    }
}
