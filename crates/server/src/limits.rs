//! Bounds, each with its reason.

use std::time::Duration;

/// A client has this long to send the head of a request, and a connection may be idle this long between two.
pub(crate) const HEAD: Duration = Duration::from_secs(15);
/// The head of a request; the longest of real clients has under 4 KB, a cookie or a token may add as much.
pub(crate) const HEAD_BYTES_MAX: usize = 32 << 10;
/// Headers of a request; real clients send about fifteen.
pub(crate) const N_HEADERS_MAX: usize = 100;
/// Connections at once; each costs a descriptor and about 20 KB.
pub(crate) const N_CONNECTIONS_MAX: usize = 4096;
/// Connections of one address at once: npm opens 15, Composer 12, a machine may run several builds; all of a company may come
/// through one address.
pub(crate) const N_CONNECTIONS_EACH_MAX: usize = 1024;
/// How long requests under way may go on once the server ends.
pub(crate) const DRAIN: Duration = Duration::from_secs(30);
/// How long to wait after an error of accepting: most are of one client, but without descriptors there is no other end.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
