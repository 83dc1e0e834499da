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
        {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.len() >= MAX_TOLD || !told.insert((address, protocol)) {
                return;
            }
        }
        self.events.refused(Refused {
            host: self.names.name_of(address.ip()).unwrap_or_default(),
            address: address.ip().to_string(),
            port: address.port(),
            protocol,
        });
    }
}

/// Returns whether an address is the room's own loopback, on which a build talks to itself.
pub(super) fn is_own(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}
