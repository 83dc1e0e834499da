//! What a room has refused: each address, port and protocol told once.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use model::{Protocol, Refused};

use crate::events::Events;
use crate::names::Names;

/// A scan of a whole network fills a report with nothing that a person reads.
const MAX_TOLD: usize = 4096;

/// Tells of refusals.
pub(super) struct Refusals {
    events: Arc<dyn Events>,
    names: Names,
    told: Mutex<HashSet<(SocketAddr, Protocol)>>,
}

impl Refusals {
    pub(super) fn new(events: Arc<dyn Events>, names: Names) -> Self {
        Self { events, names, told: Mutex::default() }
    }

    /// Tells of one, unless it was told before or too many were.
    pub(super) fn tell(&self, address: SocketAddr, protocol: Protocol) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        match note(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner), (address, protocol)) {
            Noted::New => {}
            Noted::Again => return,
            Noted::TooMany => return self.events.refused_more(),
        }
        self.events.refused(Refused {
            host: self.names.name_of(address.ip()).unwrap_or_default(),
            address: address.ip().to_string(),
            port: address.port(),
            protocol,
        });
    }
}

/// What is known of a refusal.
#[derive(Debug, PartialEq, Eq)]
enum Noted {
    New,
    Again,
    TooMany,
}

fn note(told: &mut HashSet<(SocketAddr, Protocol)>, refusal: (SocketAddr, Protocol)) -> Noted {
    if told.contains(&refusal) {
        Noted::Again
    } else if told.len() >= MAX_TOLD {
        Noted::TooMany
    } else {
        told.insert(refusal);
        Noted::New
    }
}

/// Returns whether an address is the room's own loopback, on which a build talks to itself.
pub(super) fn is_own(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_bounded_and_what_is_beyond_is_known() {
        let mut told = HashSet::new();
        let refusal = |n: usize| {
            let port = u16::try_from(n).unwrap();
            (SocketAddr::from(([198, 18, 0, 1], port)), Protocol::Tcp)
        };
        let mut check = |n, expected| assert_eq!(note(&mut told, refusal(n)), expected, "{n}");
        for n in 0..MAX_TOLD {
            check(n, Noted::New);
        }
        check(0, Noted::Again);
        check(MAX_TOLD, Noted::TooMany);
        check(MAX_TOLD, Noted::TooMany);
    }
}
