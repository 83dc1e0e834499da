//! Which addresses may be asked when Outlast itself chose the host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Where clouds give a machine its credentials: AWS, Azure and Google; AWS for containers; Alibaba; Azure's agent; AWS and
/// Google by IPv6. (Documentation of each, 2026.)
const METADATA: [IpAddr; 6] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Returns whether a cloud's metadata service is there, which gives credentials to whoever asks. A recorded build must not
/// leave them in a store.
pub fn is_metadata(address: IpAddr) -> bool {
    METADATA.contains(&meant(address))
}

/// Returns the address that one stands for: that of IPv4 which it carries, or itself.
pub(crate) fn meant(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    v6.to_ipv4_mapped().or_else(|| carried(v6)).map_or(address, IpAddr::V4)
}

/// Returns the address of IPv4 that is reached by one of NAT64 (64:ff9b::/96) or of 6to4 (2002::/16).
fn carried(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, .., g, h] = v6.segments();
    let of = |high: u16, low: u16| Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => of(g, h),
        _ if a == 0x2002 => of(b, c),
        _ => None,
    }
}

/// Returns whether an address is one of the public internet: none of the special ranges of RFC 6890 and its successors.
///
/// A hostile upstream that redirects inwards is met here, once for every hop and after the name was resolved.
pub fn is_public(address: IpAddr) -> bool {
    match meant(address) {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    !(v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_broadcast()
        || v4.is_documentation()
        || v4.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b)))
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    let segments = v6.segments();
    segments[0] & 0xe000 == 0x2000
        && !(segments[0] == 0x2001 && (segments[1] == 0xdb8 || segments[1] < 0x200))
}

/// A range of addresses, written `10.20.0.0/16`, `fd00::/8` or as a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix_bits: u8,
}

impl Network {
    /// Returns whether the range has this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let same = |a: u128, b: u128, width: u8| {
            let shift = u32::from(width - self.prefix_bits);
            a.checked_shr(shift).unwrap_or(0) == b.checked_shr(shift).unwrap_or(0)
        };
        match (self.base, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(u32::from(a).into(), u32::from(b).into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.into(), b.into(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let error = || NetworkError { text: text.to_owned() };
        let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.parse().map_err(|_| error())?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match bits {
            None => width,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= width).ok_or_else(error)?,
        };
        Ok(Self { base, prefix_bits })
    }
}

/// The text is not a range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an address range such as `10.20.0.0/16`")]
pub struct NetworkError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        let check =
            |text: &str, expected: bool| assert_eq!(is_public(text.parse().unwrap()), expected, "{text}");
        for text in ["1.1.1.1", "140.82.121.4", "2606:4700::1111", "64:ff9b::101:101", "2002:101:101::"] {
            check(text, true);
        }
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "203.0.113.80",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fd00::1",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2001:db8::1",
            "2002:7f00:1::",
        ] {
            check(text, false);
        }
    }

    #[test]
    fn a_network_has_its_addresses_and_no_others() {
        let check = |network: &str, address: &str, expected: bool| {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), expected, "{address}");
        };
        check("10.20.0.0/16", "10.20.255.1", true);
        check("10.20.0.0/16", "10.21.0.1", false);
        check("0.0.0.0/0", "8.8.8.8", true);
        check("fd00::/8", "fd12::1", true);
        check("fd00::/8", "10.0.0.1", false);
        check("192.0.2.7", "192.0.2.7", true);
        check("192.0.2.7", "192.0.2.8", false);
        for text in ["10.0.0.0/33", "10.0.0/8", "x", "::/129", "10.0.0.0/"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
