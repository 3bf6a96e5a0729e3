//! Pollers: one thread a source, and one file a kind of upstream.

mod age;
mod decode;
mod json;
mod open_meteo;
mod ptlevel;
