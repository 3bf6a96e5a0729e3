//! `/chart/{source}.{field}.svg`: a chart that stands alone, for other pages to show.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::task::Poll;

use super::answer::Answer;
use super::chart::{Drawing, Known, Missing, Outcome, Range, SVG, Size, Theme, WIDE, Wanted};
use super::content::{Content, Representation, render_for};
use super::context::{Context, RouteRequest};
use super::freshness::Freshness;
use super::history_problem::{unavailable, unrecorded};
use super::problem::Problem;
use super::query::{self, Pairs};
use super::sources::{find, unknown_field};
use crate::board::{Rendered, SourceView};
use crate::history::HistoryError;

/// Sides that a chart may have.
pub(super) const SIDES: RangeInclusive<u32> = 160..=2400;

/// A picture of a chart.
///
/// Once the chart is drawn, the default size is sent at once. A client may invent a size for every
/// request, so each other one is rendered under a permit.
pub(super) fn picture(context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
    let name = request.parameter.strip_suffix(".svg").ok_or_else(|| {
        Problem::not_found("Charts are pictures: add .svg, as in /chart/tank.level.svg.")
    })?;
    let query::Field { source, field } = query::field(name).ok_or_else(unknown_field)?;
    let mut pairs = Pairs::of(&request.http.target)?;
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
    let theme = pairs.take("theme").map_or(Some(Theme::Auto), |name| name.parse().ok());
    let theme = theme.ok_or_else(|| Problem::bad_request("theme is auto, light or dark."))?;
    pairs.finish()?;
    let snapshot = context.snapshot();
    let view = find(&snapshot.sources, &source).ok_or_else(unknown_field)?;
    if !context.history.is_enabled() {
        return Err(unavailable(&HistoryError::Off));
    }
    let wanted = Wanted { source: view, field: &field, range };
    let known = context.charts.look(&context.history, wanted, request.now);
    let picture = Picture { view: view.clone(), field, range, size, theme };
    match known {
        Known::Current(Ok(chart)) if size != WIDE && !context.charts.is_stalled() => {
            let (waiting, shown) = (picture.clone(), Arc::clone(&chart));
            Ok(Answer::unfinished_or(
                move |_, request| picture.respond(request, Ok(chart)).map(Answer::Ready),
                move |_, request| {
                    waiting.respond_without_permit(request, Ok(shown)).map(Answer::Ready)
                },
            ))
        }
        Known::Current(outcome) => {
            picture.respond_without_permit(request, outcome).map(Answer::Ready)
        }
        Known::Outdated(shown) if context.charts.is_stalled() => {
            let shown = Known::Outdated(shown).best();
            picture.respond_without_permit(request, shown).map(Answer::Ready)
        }
        Known::Outdated(shown) => {
            let drawing = Drawing::new(&context.history, picture.wanted(), request.now);
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
        let next = move |context: &Context, request: &RouteRequest<'_>| match drawing
            .advance(&context.charts, &context.history)
        {
            Poll::Ready(outcome) => picture.respond(request, outcome).map(Answer::Ready),
            Poll::Pending => Ok(picture.drawn(drawing, outdated)),
        };
        match shown {
            None => Answer::unfinished(next),
            Some(shown) => Answer::unfinished_or(next, move |_, request| {
                self.respond_without_permit(request, shown).map(Answer::Ready)
            }),
        }
    }

    fn respond(&self, request: &RouteRequest<'_>, outcome: Outcome) -> Result<Content, Problem> {
        self.respond_by(request, outcome, |svg| render_for(request.headers(), SVG, svg))
    }

    /// Compresses only the default size: that is most of the work, and done once for a chart.
    fn respond_without_permit(
        &self,
        request: &RouteRequest<'_>,
        outcome: Outcome,
    ) -> Result<Content, Problem> {
        self.respond_by(request, outcome, |svg| Rendered::uncompressed(SVG, svg))
    }

    fn respond_by(
        &self,
        request: &RouteRequest<'_>,
        outcome: Outcome,
        render: impl FnOnce(String) -> Rendered,
    ) -> Result<Content, Problem> {
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
            render(chart.picture(*size, *theme))
        };
        let policy = Freshness::assess([view], request.now).cache_policy().without_dates();
        Ok(Representation::new(rendered, policy).into())
    }
}
