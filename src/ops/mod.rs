//! Operations: health, metrics, the admin listener, signals.
