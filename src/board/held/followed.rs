//! The reading of a source that another replica polls.

use jiff::Timestamp;

use super::{Held, OwnTimed, Received};
use crate::board::order::Track;

impl Held {
    /// Returns the first reading of a source that another replica polls.
    pub(in super::super) fn followed(received: Received, fetched_at: Timestamp) -> Held {
        let mut held = Held {
            track: Track::new(received.sighting),
            values: Vec::new(),
            own: Vec::new(),
            fetched_at,
            is_fetched: true,
        };
        held.follow(received, fetched_at);
        held
    }

    /// Replaces the reading by that of the replica that polls the source, with its times.
    pub(in super::super) fn follow(&mut self, received: Received, fetched_at: Timestamp) {
        let Received { sighting, values, own } = received;
        self.track.follow(sighting);
        self.values = values;
        for (field, sighting) in own {
            let value = self.values.iter().find(|(name, _)| *name == field);
            let Some((_, value)) = value else { continue };
            match self.own.iter_mut().find(|own| own.field == field) {
                Some(own) => {
                    own.track.follow(sighting);
                    own.value = value.clone();
                }
                None => {
                    let (track, value) = (Track::new(sighting), value.clone());
                    self.own.push(OwnTimed { field, track, value });
                }
            }
        }
        (self.fetched_at, self.is_fetched) = (fetched_at, true);
    }
}
