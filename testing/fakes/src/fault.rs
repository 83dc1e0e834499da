//! The faults a fake upstream can play.

use std::time::Duration;

use crate::Answer;
use crate::site::Generation;

/// One way in which an upstream fails, lies or is slow.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Answers with this status and a short HTML page.
    Status(u16),
    /// Takes the request and never answers.
    Hang,
    /// Sends the right body in small pieces.
    Drip {
        /// The size of a piece.
        bytes: usize,
        /// The pause after each.
        every: Duration,
    },
    /// Resets the connection (HTTP/2: the stream) without an answer.
    Reset,
    /// Sends all of it in chunks, so that no length is announced; no fault, but what forges do with archives.
    Chunked,
    /// Sends all of it without a length and closes; no fault either, but nobody can tell it from one.
    WithoutLength,
    /// Announces the whole length, sends half of it and closes.
    Short,
    /// Announces the whole length, sends this share of it and closes; with `on_first`, an upstream that can be resumed.
    CutAt {
        /// How much of what was asked for is sent, rounded down.
        percent: u8,
    },
    /// Announces the whole length, sends no more than so many bytes of it and closes; what is shorter comes whole.
    CutAfter {
        /// How many bytes of an answer are sent at most.
        bytes: usize,
    },
    /// Announces the whole length, sends this share of it and then nothing more, without closing.
    StallAt {
        /// How much of what was asked for is sent, rounded down.
        percent: u8,
    },
    /// Announces no length and closes cleanly after half of it; HTTP/2 has no such fault and resets the stream.
    ShortWithoutLength,
    /// Sends half of the body in chunks and closes without the last one.
    ShortChunked,
    /// Answers 200 with a page of a captive portal.
    Html200,
    /// Answers whole and well framed, with the first half of the body.
    TruncatedJson,
    /// Answers as many bytes as is right, the last of which is another; a gzip file unpacks all the same.
    WrongBytes,
    /// Waits before it begins to answer.
    SlowFirstByte(Duration),
    /// Answers 429 with Retry-After, in seconds.
    RetryAfter429(u64),
    /// Answers 503 with Retry-After, in seconds.
    RetryAfter503(u64),
    /// Redirects to the same address for ever.
    RedirectLoop,
    /// Redirects to ever another address below the same path (plan it with `*`), so that no two are the same.
    RedirectWithoutEnd,
    /// Redirects to this address.
    RedirectTo(String),
    /// Shows a certificate that ran out in 2021; for the host as a whole.
    ExpiredCertificate,
    /// Shows a certificate of a CA nobody trusts; for the host as a whole.
    ForeignCertificate,
    /// Shows a certificate of the right CA for another name; for the host as a whole.
    WrongHostCertificate,
    /// Closes the connection before the TLS handshake; for the host as a whole.
    NoHandshake,
    /// Takes the connection and never answers the TLS handshake; for the host as a whole.
    SilentHandshake,
    /// Gives another answer than the one that was put: an older one, `{}`, another package's.
    Older(Answer),
    /// Answers as the whole upstream did when the generation was kept.
    AsOf(Generation),
    /// Answers 200 with a body without a length that goes on for this many bytes.
    EndlessBody {
        /// Where it ends all the same, so that a failing test ends.
        bytes: u64,
    },
    /// Begins a well-formed document without a length, in which blanks follow for this many bytes.
    EndlessIndex {
        /// Where it ends all the same, so that a failing test ends.
        bytes: u64,
    },
}

impl Fault {
    /// Returns whether it is played in the handshake and not in the answer.
    pub(crate) const fn is_of_the_handshake(&self) -> bool {
        matches!(
            self,
            Self::ExpiredCertificate
                | Self::ForeignCertificate
                | Self::WrongHostCertificate
                | Self::NoHandshake
                | Self::SilentHandshake
        )
    }
}

/// A fault, for what it is played, and how often still.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) host: String,
    pub(crate) pattern: String,
    pub(crate) fault: Fault,
    /// `None`: until it is cleared.
    pub(crate) n_left: Option<u64>,
}

impl Planned {
    /// Returns whether it is for this request: an exact path, or a beginning followed by `*`.
    pub(crate) fn fits(&self, host: &str, path: &str) -> bool {
        let is_left = self.n_left != Some(0);
        is_left
            && (self.host == host || self.host == "*")
            && match self.pattern.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => path == self.pattern,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_for_its_host_and_path_only() {
        let check = |host: &str, pattern: &str, asked: (&str, &str), expected: bool| {
            let planned =
                Planned { host: host.into(), pattern: pattern.into(), fault: Fault::Hang, n_left: None };
            assert_eq!(planned.fits(asked.0, asked.1), expected, "{host} {pattern} {asked:?}");
        };
        check("a.example", "/x", ("a.example", "/x"), true);
        check("a.example", "/x", ("a.example", "/x/y"), false);
        check("a.example", "/x*", ("a.example", "/x/y"), true);
        check("a.example", "*", ("a.example", "/"), true);
        check("a.example", "*", ("b.example", "/"), false);
        check("*", "*", ("b.example", "/"), true);
    }

    #[test]
    fn a_fault_that_is_used_up_fits_nothing() {
        let planned = Planned { host: "*".into(), pattern: "*".into(), fault: Fault::Hang, n_left: Some(0) };
        assert!(!planned.fits("a.example", "/"));
    }
}
