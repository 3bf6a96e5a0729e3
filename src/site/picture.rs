//! `/chart/{source}.{field}.svg`: a chart as a picture of its own, for other sites' pages.
//!
//! A drawn chart is kept in memory, and its default size is rendered and compressed once. Clients
//! can request any size, so every other size is rendered under a permit. Where a request would have
//! to wait for the disk, an outdated chart is sent, or 503.

use std::sync::Arc;
use std::task::Poll;

use strum::VariantNames;

use super::answer::Answer;
use super::chart::{
    Cached, Drawing, Missing, Outcome, Range, SIDES, SVG, Size, Subject, Theme, Threshold, WIDE,
    thresholds,
};
use super::content::{Content, Representation, render_for};
use super::context::{Context, RouteRequest};
use super::freshness::Freshness;
use super::history_problem::{unavailable, unrecorded};
use super::problem::Problem;
use super::query::{self, Pairs};
use super::rendered::Rendered;
use super::sources::unknown_field;
use crate::board::SourceView;
use crate::history::HistoryError;

/// Answers `GET /chart/{source}.{field}.svg`.
pub(super) fn picture(context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
    let picture = Picture::requested(context, request)?;
    if !context.history.is_enabled() {
        return Err(unavailable(&HistoryError::Off));
    }
    match context.charts.get(&context.history, picture.subject(), request.now) {
        Cached::Current(Ok(chart)) if picture.size != WIDE && !context.charts.is_stalled() => {
            let (waiting, shown) = (picture.clone(), Arc::clone(&chart));
            Ok(Answer::unfinished_or(
                move |_, request| picture.respond(request, Ok(chart)).map(Answer::Ready),
                move |_, request| {
                    waiting.respond_without_permit(request, Ok(shown)).map(Answer::Ready)
                },
            ))
        }
        Cached::Current(outcome) => {
            picture.respond_without_permit(request, outcome).map(Answer::Ready)
        }
        Cached::Outdated(shown) if context.charts.is_stalled() => {
            let shown = Cached::Outdated(shown).best();
            picture.respond_without_permit(request, shown).map(Answer::Ready)
        }
        Cached::Outdated(shown) => {
            let drawing = Drawing::new(&context.history, picture.subject(), request.now);
            Ok(picture.drawn(drawing, shown))
        }
    }
}

/// A requested picture.
#[derive(Clone)]
struct Picture {
    source: SourceView,
    field: String,
    range: Range,
    thresholds: Vec<Threshold>,
    size: Size,
    theme: Theme,
}

impl Picture {
    /// Parses the path and the query.
    fn requested(context: &Context, request: &RouteRequest<'_>) -> Result<Picture, Problem> {
        let name = request.parameter.strip_suffix(".svg").ok_or_else(|| {
            Problem::not_found("Charts are pictures: add .svg, as in /chart/tank.level.svg.")
        })?;
        let query::Field { source, field } = query::field(name).ok_or_else(unknown_field)?;
        let mut pairs = Pairs::of(&request.http.target)?;
        let range = pairs.take("range").map_or(Ok(Range::Day), |name| name.parse());
        let range = range.map_err(|_| {
            let names = Range::VARIANTS.join(", ");
            Problem::bad_request(format!("range is one of {names}."))
        })?;
        let mut side = |name, default| {
            let side = pairs.take(name).map_or(Some(default), |text| query::whole_number(&text));
            side.filter(|side| SIDES.contains(side)).ok_or_else(|| {
                let (least, most) = (SIDES.start(), SIDES.end());
                Problem::bad_request(format!("{name} is a number from {least} to {most}."))
            })
        };
        let size = Size { width: side("width", WIDE.width)?, height: side("height", WIDE.height)? };
        let theme = pairs.take("theme").map_or(Ok(Theme::Auto), |name| name.parse());
        let theme = theme.map_err(|_| Problem::bad_request("theme is auto, light or dark."))?;
        pairs.finish()?;
        let snapshot = context.snapshot();
        let source = snapshot.sources.get(&source).ok_or_else(unknown_field)?.clone();
        let thresholds = thresholds(&context.alerts.view(), &source, &field);
        Ok(Picture { source, field, range, thresholds, size, theme })
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            source: &self.source,
            field: &self.field,
            range: self.range,
            thresholds: &self.thresholds,
        }
    }

    /// Continues a drawing. If it would wait too long for a permit, sends the outdated chart.
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

    /// Responds without compressing any size but the default one, which is compressed once: that is
    /// most of the work.
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
        let Picture { source, field, size, theme, .. } = self;
        let chart = outcome.map_err(|missing| match missing {
            Missing::NeverRecorded => unrecorded(Some(source), &source.name, field),
            Missing::HistoryUnavailable | Missing::NotDrawn => {
                Problem::unavailable("The history cannot be read now.").retry_after(2)
            }
        })?;
        let rendered = if *size == WIDE {
            chart.default_picture(*theme).clone()
        } else {
            render(chart.picture(*size, *theme))
        };
        let policy = Freshness::assess([source], request.now).cache_policy().without_dates();
        Ok(Representation::new(rendered, policy).into())
    }
}

#[cfg(test)]
mod tests;
