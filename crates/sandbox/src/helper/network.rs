//! Makes every address of IPv4 and IPv6 an address of the room itself, by messages of rtnetlink(7) written by hand.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

use super::failure::{Failure, refused};
use crate::names::{SERVER_V4, SERVER_V6};

/// Whether the room has IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Families {
    /// IPv4 and IPv6.
    Both,
    /// The kernel has no IPv6.
    V4,
}

/// `lo` is the first device of every network namespace.
const LOOPBACK: u32 = 1;
/// `IFA_F_NODAD`: nobody else can have the address.
const NO_DUPLICATE_DETECTION: u8 = 0x02;

/// Brings the loopback up and routes everything to it.
///
/// The room gets an address of its own besides the loopback's, because resolvers that are told to look at the machine's
/// addresses (`AI_ADDRCONFIG`) give no answer on a machine that has only those.
pub(super) fn raise() -> Result<Families, Failure> {
    let netlink =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)
            .map_err(refused("opening rtnetlink"))?;
    // Where IPv6 is off by default in new namespaces it can still be had; where the kernel has none this fails.
    let _ = std::fs::write("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "0");
    ask(&netlink, &link_up()).map_err(refused("raising the loopback"))?;
    ask(&netlink, &address(&SERVER_V4.octets())).map_err(refused("adding an address"))?;
    ask(&netlink, &everything_is_local(libc::AF_INET)).map_err(refused("routing IPv4"))?;
    // Where a machine is kept from it, addresses may still be given, and nobody could listen.
    let v6 = socket(AddressFamily::Inet6, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
        .map_err(io::Error::from)
        .and_then(|_| ask(&netlink, &address(&SERVER_V6.octets())))
        .and_then(|()| ask(&netlink, &everything_is_local(libc::AF_INET6)));
    Ok(if v6.is_ok() { Families::Both } else { Families::V4 })
}

/// One message: type, flags beyond request and acknowledgement, and its body.
struct Message {
    kind: u16,
    flags: i32,
    body: Vec<u8>,
}

impl Message {
    fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.body.extend(length.to_ne_bytes());
        self.body.extend(kind.to_ne_bytes());
        self.body.extend(value);
        self.body.resize(self.body.len().next_multiple_of(4), 0);
        self
    }
}

/// `struct ifinfomsg` with IFF_UP set and only that changed.
fn link_up() -> Message {
    let up = u32::try_from(libc::IFF_UP).unwrap_or(1).to_ne_bytes();
    let mut body = vec![0; 4];
    body.extend(LOOPBACK.to_ne_bytes());
    body.extend(up);
    body.extend(up);
    Message { kind: libc::RTM_NEWLINK, flags: 0, body }
}

/// `struct ifaddrmsg` for one address.
fn address(octets: &[u8]) -> Message {
    let (family, bits) = if octets.len() == 4 { (libc::AF_INET, 32) } else { (libc::AF_INET6, 128) };
    let mut body = vec![byte(family), bits, NO_DUPLICATE_DETECTION, 0];
    body.extend(LOOPBACK.to_ne_bytes());
    Message { kind: libc::RTM_NEWADDR, flags: libc::NLM_F_CREATE | libc::NLM_F_EXCL, body }
        .attribute(libc::IFA_LOCAL, octets)
        .attribute(libc::IFA_ADDRESS, octets)
}

/// `struct rtmsg`: `local default dev lo`, known as AnyIP.
fn everything_is_local(family: i32) -> Message {
    let scope = if family == libc::AF_INET { libc::RT_SCOPE_HOST } else { libc::RT_SCOPE_UNIVERSE };
    let mut body =
        vec![byte(family), 0, 0, 0, libc::RT_TABLE_LOCAL, libc::RTPROT_BOOT, scope, libc::RTN_LOCAL];
    body.extend(0u32.to_ne_bytes());
    Message { kind: libc::RTM_NEWROUTE, flags: libc::NLM_F_CREATE | libc::NLM_F_EXCL, body }
        .attribute(libc::RTA_OIF, &LOOPBACK.to_ne_bytes())
}

/// The values of these constants are below 256 by definition of the messages.
fn byte(value: i32) -> u8 {
    u8::try_from(value).unwrap_or(0)
}

/// Sends one message and reads whether the kernel did what it says.
fn ask(netlink: &OwnedFd, message: &Message) -> io::Result<()> {
    const HEADER: usize = 16;
    let flags =
        u16::try_from(libc::NLM_F_REQUEST | libc::NLM_F_ACK | message.flags).map_err(io::Error::other)?;
    let length = u32::try_from(HEADER + message.body.len()).map_err(io::Error::other)?;
    let mut packet = Vec::with_capacity(HEADER + message.body.len());
    packet.extend(length.to_ne_bytes());
    packet.extend(message.kind.to_ne_bytes());
    packet.extend(flags.to_ne_bytes());
    packet.extend([0; 8]);
    packet.extend(&message.body);
    sendto(netlink.as_raw_fd(), &packet, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut answer = [0; 1024];
    let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // An acknowledgement is an error message with error 0, just behind the header.
    let error = answer[..length]
        .get(HEADER..HEADER + 4)
        .and_then(|bytes| bytes.try_into().ok())
        .map(i32::from_ne_bytes);
    match error {
        Some(0) => Ok(()),
        Some(error) => Err(Errno::from_raw(-error).into()),
        None => Err(io::Error::other("short answer")),
    }
}
