//! Which addresses a request may be led to.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use super::address::{Network, is_metadata, is_public, meant};
use super::connect::Chooser;

/// Judges addresses.
#[derive(Debug)]
pub(crate) struct Guard {
    /// Addresses that the configuration allows.
    allow: Vec<Network>,
    /// Hosts that are the world's, and nobody's inside a company.
    public_hosts: Vec<&'static str>,
    /// Addresses that commands have talked to, which are no secret to them.
    seen: Mutex<HashSet<IpAddr>>,
    /// Addresses where a host of the world was proved to be answered for.
    proved: Mutex<HashSet<IpAddr>>,
}

/// What is thought of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    Allowed,
    /// Where it shows a certificate for the host that is trusted here: then it is where a company looks into everything. Nothing
    /// is sent before.
    OnProof,
    Forbidden,
}

impl Guard {
    pub(crate) fn new(allow: Vec<Network>, public_hosts: Vec<&'static str>) -> Self {
        Self { allow, public_hosts, seen: Mutex::default(), proved: Mutex::default() }
    }

    /// Judges where a host is.
    pub(crate) fn judge(&self, chooser: Chooser, host: &str, address: IpAddr) -> Judged {
        if self.allow.iter().any(|network| network.contains(address)) {
            return Judged::Allowed;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match chooser {
            // A name that leads back into this machine would open it to the room.
            _ if is_never_shared(address) => Judged::Forbidden,
            Chooser::Command => {
                seen.insert(address);
                Judged::Allowed
            }
            Chooser::Outlast if is_public(address) || seen.contains(&address) => Judged::Allowed,
            // Whoever answers for one host of the world may answer for others, which is to be shown for each.
            Chooser::Outlast if self.public_hosts.contains(&host) || self.has_proved(address) => {
                Judged::OnProof
            }
            Chooser::Outlast => Judged::Forbidden,
        }
    }

    /// Notes that an address has shown that it answers for a host of the world.
    pub(crate) fn note_proved(&self, address: IpAddr) {
        self.proved.lock().unwrap_or_else(PoisonError::into_inner).insert(address);
    }

    /// Returns whether an address has shown that.
    pub(crate) fn has_proved(&self, address: IpAddr) -> bool {
        self.proved.lock().unwrap_or_else(PoisonError::into_inner).contains(&address)
    }
}

/// The machine itself and its metadata service: a room has neither, whatever a name resolves to.
fn is_never_shared(address: IpAddr) -> bool {
    let is_own = match meant(address) {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6.is_unicast_link_local(),
    };
    is_own || is_metadata(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard::new(vec!["10.20.0.0/16".parse().unwrap()], vec!["registry.npmjs.org"])
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_host_of_the_world_has_to_prove_itself_inside_and_then_others_may_there() {
        let (guard, inside) = (guard(), address("203.0.113.80"));
        let judge = |host| guard.judge(Chooser::Outlast, host, inside);
        assert_eq!(judge("evil.example"), Judged::Forbidden);
        assert_eq!(judge("registry.npmjs.org"), Judged::OnProof);
        assert_eq!(judge("registry.npmjs.org"), Judged::OnProof, "asking is no proof");
        guard.note_proved(inside);
        assert_eq!(judge("registry.npmjs.org"), Judged::OnProof, "each time");
        assert_eq!(judge("files.example"), Judged::OnProof, "whoever answers for one may answer for others");
        assert_eq!(guard.judge(Chooser::Outlast, "files.example", address("10.0.0.5")), Judged::Forbidden);
    }

    #[test]
    fn nobody_is_led_into_this_machine_whatever_is_proved() {
        let guard = guard();
        let machine = ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"];
        let metadata =
            ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254", "64:ff9b::6464:64c8"];
        for own in machine.into_iter().chain(metadata).map(address) {
            guard.note_proved(own);
            for chooser in [Chooser::Command, Chooser::Outlast] {
                assert_eq!(guard.judge(chooser, "registry.npmjs.org", own), Judged::Forbidden, "{own}");
            }
        }
    }

    #[test]
    fn what_is_allowed_or_was_seen_is_reached() {
        let guard = guard();
        let judge = |chooser, text| guard.judge(chooser, "files.example", address(text));
        assert_eq!(judge(Chooser::Outlast, "10.20.3.4"), Judged::Allowed);
        assert_eq!(judge(Chooser::Outlast, "8.8.8.8"), Judged::Allowed);
        assert_eq!(judge(Chooser::Outlast, "192.168.1.1"), Judged::Forbidden, "the control");
        assert_eq!(judge(Chooser::Command, "192.168.1.1"), Judged::Allowed);
        assert_eq!(judge(Chooser::Outlast, "192.168.1.1"), Judged::Allowed, "the command goes there itself");
    }
}
