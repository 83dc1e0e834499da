//! The bounds of one connection.

use std::time::Duration;

/// How long and how much a client may take; the usual values are [`Limits::default`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the connection to the bytes that show its protocol. Clients that wait for a banner never send them.
    pub first_bytes: Duration,
    /// From there to the end of the TLS handshake.
    pub handshake: Duration,
    /// For a whole HTTP/1 request head; also how long a kept connection may lie idle.
    pub header: Duration,
    /// How large the heads of a request may be, as text.
    pub header_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_bytes: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            // Real servers close idle connections after 5 to 75 s, so clients cope with this.
            header: Duration::from_secs(60),
            // Most servers take 8 to 16 KB; tokens of continuous integration and their cookies come near that.
            header_bytes: 64 * 1024,
        }
    }
}
