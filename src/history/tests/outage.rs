//! Outages of the shared database.

use super::*;
