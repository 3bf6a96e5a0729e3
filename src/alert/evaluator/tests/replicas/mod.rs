//! Evaluators that share a database: who evaluates, what the others show, and what is sent.

mod cluster;
mod commands;
mod notices;
mod outages;
mod partitions;
mod promotions;
mod rules;
mod takeovers;
