//! Bounds, each with its reason.

use std::time::Duration;

use crate::clients::Pace;

/// A client has this long to send the head of a request, and a connection may be idle this long between two.
pub(crate) const HEAD: Duration = Duration::from_secs(15);
/// The head of a request; the longest of real clients has under 4 KB, a cookie or a token may add as much.
pub(crate) const HEAD_BYTES_MAX: usize = 32 << 10;
/// Headers of a request; real clients send about fifteen.
pub(crate) const N_HEADERS_MAX: usize = 100;
/// The body of a request to a registry; the longest questions of real clients name some thousand packages.
pub(crate) const REQUEST_BYTES_MAX: u64 = 16 << 20;
/// How long the body of a request may pause: a client that sends one has it.
pub(crate) const BODY_PAUSE: Duration = Duration::from_secs(15);
/// Connections at once; each costs a descriptor and about 20 KB.
pub(crate) const N_CONNECTIONS_MAX: usize = 4096;
/// Connections of one address at once: npm opens 15, Composer 12, a machine may run several builds; all of a company may come
/// through one address.
pub(crate) const N_CONNECTIONS_EACH_MAX: usize = 1024;
/// Connections that are told at once that there is no room for them; more are closed without a word.
pub(crate) const N_TURNED_AWAY_MAX: usize = 256;
/// How long a client that is turned away may take to read it.
pub(crate) const TURN_AWAY: Duration = Duration::from_secs(1);
/// How soon a client that was turned away may try again, in seconds: others end within it.
pub(crate) const RETRY_AFTER_S: u64 = 5;
/// Clients that are remembered for having asked much; each costs about 100 bytes.
pub(crate) const N_CLIENTS_KNOWN_MAX: usize = 100_000;
/// How often each client may ask, unless told: a build asks some hundred times in a second, a company behind one address ten times that.
pub(crate) const PACE: Pace = Pace { per_second: 2_000, at_once: 10_000 };
/// How long requests under way may go on once the server ends.
pub(crate) const DRAIN: Duration = Duration::from_secs(30);
/// How long to wait after an error of accepting: most are of one client, but without descriptors there is no other end.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
