//! A body with some sources, rendered for one request, in slices of a few milliseconds.

use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::vec;

use super::assembly::Builder;
use super::form::Form;
use crate::board::{ServiceInfo, Snapshot, SourceView};
use crate::site::media_type::{JSON, PLAIN};
use crate::site::problem::Problem;
use crate::site::rendered::{Rendered, RenderedBuilder};
use crate::site::shell::Script;

/// Number of sources that a slice renders.
const SLICE: usize = 128;

/// A body in progress.
pub(super) struct Rendering {
    sources: vec::IntoIter<Arc<SourceView>>,
    output: Output,
    rendered: RenderedBuilder,
}

enum Output {
    Json { form: Form, next: Option<Arc<str>>, is_first: bool },
    Shell(Script),
}

impl Rendering {
    /// Begins a JSON body. `next` is the cursor of the next page.
    pub(super) fn json(
        form: Form,
        service: &ServiceInfo,
        sources: Vec<Arc<SourceView>>,
        next: Option<Arc<str>>,
        is_compressed: bool,
    ) -> Rendering {
        let mut rendered = RenderedBuilder::new(JSON, is_compressed);
        rendered.push(&form.opening(service));
        let output = Output::Json { form, next, is_first: true };
        Rendering { sources: sources.into_iter(), output, rendered }
    }

    /// Begins assignments for a shell. `next` is the cursor of the next page, on a page.
    pub(super) fn shell(
        service: &ServiceInfo,
        sources: Vec<Arc<SourceView>>,
        next: Option<Option<Arc<str>>>,
        is_compressed: bool,
    ) -> Rendering {
        let rendered = RenderedBuilder::new(PLAIN, is_compressed);
        let names = sources.iter().map(|source| &*source.name);
        let script = Script::of_status(service, names, next.as_ref().map(Option::as_deref));
        Rendering { sources: sources.into_iter(), output: Output::Shell(script), rendered }
    }

    /// Renders some of the sources. Breaks with the body once it is complete.
    pub(super) fn advance(mut self) -> ControlFlow<Result<Rendered, Problem>, Rendering> {
        for source in self.sources.by_ref().take(SLICE) {
            match &mut self.output {
                Output::Json { form, is_first, .. } => {
                    if !std::mem::take(is_first) {
                        self.rendered.push(b",");
                    }
                    self.rendered.push(&form.piece(&source));
                }
                Output::Shell(script) => script.source(&source),
            }
        }
        if let Output::Shell(script) = &mut self.output {
            self.rendered.push(script.take_text().as_bytes());
        }
        if self.sources.len() > 0 { Continue(self) } else { Break(self.finish()) }
    }

    fn finish(mut self) -> Result<Rendered, Problem> {
        match self.output {
            Output::Json { form, next, .. } => self.rendered.push(&form.closing(next.as_deref())),
            Output::Shell(script) => self.rendered.push(script.finish()?.as_bytes()),
        }
        Ok(self.rendered.finish())
    }
}

/// The shell form of all sources.
#[derive(Default)]
pub(in crate::site) struct ShellStatus(Option<Rendering>);

impl Builder for ShellStatus {
    fn begin(&mut self, snapshot: &Snapshot, is_compressed: bool) {
        let sources = snapshot.sources.by_name().cloned().collect();
        self.0 = Some(Rendering::shell(&snapshot.service, sources, None, is_compressed));
    }

    fn advance(&mut self, _: &Snapshot, _: bool) -> Option<Result<Rendered, Problem>> {
        match self.0.take()?.advance() {
            Continue(rendering) => {
                self.0 = Some(rendering);
                None
            }
            Break(rendered) => Some(rendered),
        }
    }
}
