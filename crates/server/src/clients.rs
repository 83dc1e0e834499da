//! Clients by their addresses: how many connections each has, and how often it asks.
//!
//! A client of IPv6 is its /64: whoever has one address there has 2^64.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{N_CLIENTS_KNOWN_MAX, N_CONNECTIONS_EACH_MAX};

/// How often a client may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// In the long run, each second; at least one.
    pub per_second: u32,
    /// At once, after a rest.
    pub at_once: u32,
}

/// All clients that are connected, or were a moment ago.
#[derive(Debug)]
pub(crate) struct Clients {
    all: Mutex<HashMap<IpAddr, Client>>,
    start: Instant,
}

#[derive(Debug, Default)]
struct Client {
    n_connections: usize,
    asking: Arc<Asking>,
}

/// When a client would have asked all it has asked, at its pace: nanoseconds since the start of the server (GCRA, the leaky bucket of
/// ITU-T I.371, without a lock).
#[derive(Debug, Default)]
pub(crate) struct Asking(AtomicU64);

/// A place for one connection, given back when it ends.
#[derive(Debug)]
pub(crate) struct Place {
    clients: Arc<Clients>,
    client: IpAddr,
    pub(crate) asking: Arc<Asking>,
}

impl Clients {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { all: Mutex::default(), start: Instant::now() })
    }

    /// Takes a place for a connection; `None` where the client has as many as it may have.
    pub(crate) fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let client = client_of(peer);
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= N_CLIENTS_KNOWN_MAX {
            let now = self.now();
            all.retain(|_, client| client.n_connections > 0 || client.asking.0.load(Ordering::Relaxed) > now);
        }
        let entry = all.entry(client).or_default();
        if entry.n_connections == N_CONNECTIONS_EACH_MAX {
            return None;
        }
        entry.n_connections += 1;
        Some(Place { clients: self.clone(), client, asking: entry.asking.clone() })
    }

    /// Returns the time since the start.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Place {
    /// Takes a request, or returns how long the client has to wait for the next one.
    pub(crate) fn ask(&self, pace: Pace) -> Result<(), Duration> {
        self.asking.take(pace, self.clients.now())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let now = self.clients.now();
        let mut all = self.clients.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = all.get_mut(&self.client) {
            client.n_connections -= 1;
            // Who comes back at once is still who asked so much.
            if client.n_connections == 0 && client.asking.0.load(Ordering::Relaxed) <= now {
                all.remove(&self.client);
            }
        }
    }
}

impl Asking {
    fn take(&self, pace: Pace, now: u64) -> Result<(), Duration> {
        let each = 1_000_000_000 / u64::from(pace.per_second.max(1));
        let ahead_max = each.saturating_mul(pace.at_once.max(1).into());
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |at| {
            let next = at.max(now).saturating_add(each);
            (next - now <= ahead_max).then_some(next)
        });
        taken.map(|_| ()).map_err(|at| Duration::from_nanos((at + each).saturating_sub(now + ahead_max)))
    }
}

/// Returns who an address is.
fn client_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn who_asks_too_much_waits_and_may_then_ask_again() {
        let (asking, pace) = (Asking::default(), Pace { per_second: 10, at_once: 5 });
        let take = |now: u64| asking.take(pace, now);
        for n in 0..5 {
            assert_eq!(take(0), Ok(()), "{n}");
        }
        assert_eq!(take(0), Err(Duration::from_millis(100)));
        assert_eq!(take(SECOND / 20), Err(Duration::from_millis(50)), "what was refused counts for nothing");
        assert_eq!(take(SECOND / 10), Ok(()));
        assert!(take(SECOND / 10).is_err());
        // After a rest as many as at first, and no more.
        let n_taken = (0..100).filter(|_| take(60 * SECOND).is_ok()).count();
        assert_eq!(n_taken, 5);
        let n_in_ten_seconds = (0..1000).filter(|n| take(100 * SECOND + n * SECOND / 100).is_ok()).count();
        assert!((100..=105).contains(&n_in_ten_seconds), "{n_in_ten_seconds}");
    }

    #[test]
    fn a_client_of_ipv6_is_its_network() {
        let clients = Clients::new();
        let take = |address: &str| clients.take(address.parse().unwrap());
        let places: Vec<_> =
            (0..N_CONNECTIONS_EACH_MAX).map(|n| take(&format!("2001:db8::{n:x}")).unwrap()).collect();
        assert!(take("2001:db8::ffff:1").is_none());
        assert!(take("2001:db8:0:1::1").is_some() && take("192.0.2.1").is_some(), "others are not concerned");
        drop(places);
        assert!(take("2001:db8::ffff:1").is_some());
        assert_eq!(client_of("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn who_closes_and_comes_back_is_who_asked_before_and_who_is_gone_is_forgotten() {
        let clients = Clients::new();
        let pace = Pace { per_second: 1, at_once: 1 };
        let peer = "192.0.2.1".parse().unwrap();
        assert_eq!(clients.take(peer).unwrap().ask(pace), Ok(()));
        assert!(clients.take(peer).unwrap().ask(pace).is_err());
        drop(clients.take("192.0.2.2".parse().unwrap()));
        assert_eq!(clients.all.lock().unwrap().len(), 1, "who asked nothing is forgotten at once");
    }
}
