//! Pollers: one thread a source, and one file a kind of upstream.
