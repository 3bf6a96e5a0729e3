//! Problem of a certificate that the server can present all the same.

use std::fmt;

use serde::Serialize;

use crate::json::deserialize_members;

/// A property of a certificate for which clients refuse it, or which is probably unintended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CertificateProblem {
    /// The property.
    pub problem: String,
    /// Action that helps.
    pub advice: String,
    /// True if every client refuses the certificate for it; false from a server older than this member.
    pub refused: bool,
}

deserialize_members!(CertificateProblem { problem, advice, refused } required { problem, advice });

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem, self.advice)
    }
}
