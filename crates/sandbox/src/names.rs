//! The names a command looks up, and the address of the room that stands for each.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The first address of 198.18.0.0/15, which RFC 2544 reserves and no host on the internet has.
const V4_BASE: u32 = u32::from_be_bytes([198, 18, 0, 0]);
/// A unique local prefix of our own: `fd`, then `outlast` in ASCII.
const V6_BASE: u128 =
    u128::from_be_bytes([0xfd, b'o', b'u', b't', b'l', b'a', b's', b't', 0, 0, 0, 0, 0, 0, 0, 0]);
/// Addresses below are the room's own, such as that of its name server.
const FIRST: u32 = 16;
/// No build asks for as many names; a program that does must not eat the memory of the machine.
const MAX_NAMES: usize = 65_000;

/// The address of the room's name server and of the room itself.
pub(crate) const SERVER_V4: Ipv4Addr = Ipv4Addr::from_bits(V4_BASE + 1);
/// The same for IPv6.
pub(crate) const SERVER_V6: Ipv6Addr = Ipv6Addr::from_bits(V6_BASE + 1);

/// One address per name, the same for as long as the room exists.
#[derive(Debug, Clone, Default)]
pub struct Names(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    by_name: HashMap<String, u32>,
    by_index: Vec<String>,
}

impl Names {
    /// Returns the addresses that stand for `name`; none when there are too many names already.
    pub fn addresses_of(&self, name: &str) -> Option<(Ipv4Addr, Ipv6Addr)> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let mut table = self.table();
        let index = match table.by_name.get(&name) {
            Some(index) => *index,
            None if table.by_index.len() >= MAX_NAMES => return None,
            None => {
                let index = u32::try_from(table.by_index.len()).ok()?;
                table.by_index.push(name.clone());
                table.by_name.insert(name, index);
                index
            }
        };
        let offset = FIRST + index;
        Some((Ipv4Addr::from_bits(V4_BASE + offset), Ipv6Addr::from_bits(V6_BASE + u128::from(offset))))
    }

    /// Returns the name for which `address` was given out.
    pub fn name_of(&self, address: IpAddr) -> Option<String> {
        let offset = match address.to_canonical() {
            IpAddr::V4(v4) => v4.to_bits().checked_sub(V4_BASE)?,
            IpAddr::V6(v6) => u32::try_from(v6.to_bits().checked_sub(V6_BASE)?).ok()?,
        };
        let index = usize::try_from(offset.checked_sub(FIRST)?).ok()?;
        self.table().by_index.get(index).cloned()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_address_and_the_address_its_name() {
        let names = Names::default();
        let (v4, v6) = names.addresses_of("GitHub.com.").unwrap();
        assert_eq!(names.addresses_of("github.com"), Some((v4, v6)));
        let other = names.addresses_of("crates.io").unwrap();
        assert_ne!(other.0, v4);
        let check = |address: IpAddr, name: Option<&str>| {
            assert_eq!(names.name_of(address).as_deref(), name, "{address}");
        };
        check(v4.into(), Some("github.com"));
        check(v6.into(), Some("github.com"));
        check(v4.to_ipv6_mapped().into(), Some("github.com"));
        check(other.1.into(), Some("crates.io"));
        check(SERVER_V4.into(), None);
        check([1, 1, 1, 1].into(), None);
        check([255, 255, 255, 255].into(), None);
        check(Ipv6Addr::LOCALHOST.into(), None);
    }

    #[test]
    fn the_table_is_bounded_and_stays_in_its_range() {
        let names = Names::default();
        let mut last = None;
        for i in 0..MAX_NAMES {
            last = names.addresses_of(&format!("n{i}"));
        }
        assert!(last.unwrap().0 < Ipv4Addr::new(198, 20, 0, 0));
        assert_eq!(names.addresses_of("one.more"), None);
        assert!(names.addresses_of("n0").is_some());
    }
}
