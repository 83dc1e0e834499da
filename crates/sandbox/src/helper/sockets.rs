//! The sockets that are made inside the room and used outside.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrIn, SockaddrIn6, SockaddrLike, bind,
    listen, setsockopt, socket, sockopt,
};

use super::bpf::Step::{self, Do, If, Label, Return};
use super::bpf::{
    AND, ANY_BIT, EQUAL, LOAD_BYTE, LOAD_BYTE_X, LOAD_HALF, LOAD_HALF_X, LOAD_WORD, LOAD_WORD_X,
    LOAD_X_HEADER, NEXT, assemble, program,
};
use super::failure::{Failure, refused};
use super::network::Families;
use crate::plan::Plan;
use crate::wire::{MAX_DESCRIPTORS, Socket};

const FLAGS: SockFlag = SockFlag::SOCK_CLOEXEC.union(SockFlag::SOCK_NONBLOCK);
const DNS_PORT: u16 = 53;

/// Opens every socket the plan asks for.
pub(super) fn open(plan: &Plan, families: Families) -> Result<Vec<(Socket, OwnedFd)>, Failure> {
    let mut ports = plan.ports.clone();
    ports.sort_unstable();
    ports.dedup();
    ports.retain(|port| *port != DNS_PORT);
    let mut local: Vec<u16> = plan.local_ports.iter().copied().filter(|port| !ports.contains(port)).collect();
    local.sort_unstable();
    local.dedup();
    if ports.len() + 2 * local.len() + 3 > MAX_DESCRIPTORS {
        return Err(Failure::BadPlan("too many ports".to_owned()));
    }
    let mut sockets = Vec::new();
    for port in ports {
        sockets.push((Socket::Port(port), stream_everywhere(families, port)?));
    }
    for port in local {
        sockets
            .push((Socket::Local(port), stream(AddressFamily::Inet, &SockaddrIn::new(127, 0, 0, 1, port))?));
        if families == Families::Both {
            let address = std::net::SocketAddrV6::new(std::net::Ipv6Addr::LOCALHOST, port, 0, 0);
            sockets.push((Socket::Local(port), stream(AddressFamily::Inet6, &SockaddrIn6::from(address))?));
        }
    }
    sockets.push((Socket::DnsStream, stream_everywhere(families, DNS_PORT)?));
    sockets.push((Socket::Dns, datagrams(families)?));
    sockets.push((Socket::Watch, watch()?));
    Ok(sockets)
}

fn stream_everywhere(families: Families, port: u16) -> Result<OwnedFd, Failure> {
    match families {
        Families::Both => stream(AddressFamily::Inet6, &any_v6(port)),
        Families::V4 => stream(AddressFamily::Inet, &SockaddrIn::new(0, 0, 0, 0, port)),
    }
}

fn any_v6(port: u16) -> SockaddrIn6 {
    SockaddrIn6::from(std::net::SocketAddrV6::new(std::net::Ipv6Addr::UNSPECIFIED, port, 0, 0))
}

fn stream(family: AddressFamily, address: &dyn SockaddrLike) -> Result<OwnedFd, Failure> {
    let open = || -> nix::Result<OwnedFd> {
        let fd = socket(family, SockType::Stream, FLAGS, None)?;
        setsockopt(&fd, sockopt::ReuseAddr, &true)?;
        if family == AddressFamily::Inet6 {
            setsockopt(&fd, sockopt::Ipv6V6Only, &false)?;
        }
        bind(fd.as_raw_fd(), address)?;
        listen(&fd, Backlog::MAXCONN)?;
        Ok(fd)
    };
    open().map_err(refused("listening in the room"))
}

/// The name server's socket; each datagram comes with the address it was sent to, from which the answer must come.
fn datagrams(families: Families) -> Result<OwnedFd, Failure> {
    let open = || -> nix::Result<OwnedFd> {
        match families {
            Families::Both => {
                let fd = socket(AddressFamily::Inet6, SockType::Datagram, FLAGS, None)?;
                setsockopt(&fd, sockopt::Ipv6V6Only, &false)?;
                setsockopt(&fd, sockopt::Ipv6RecvPacketInfo, &true)?;
                // Answers come from addresses that are routed here and configured nowhere.
                setsockopt(&fd, sockopt::IpFreebind, &true)?;
                bind(fd.as_raw_fd(), &any_v6(DNS_PORT))?;
                Ok(fd)
            }
            Families::V4 => {
                let fd = socket(AddressFamily::Inet, SockType::Datagram, FLAGS, None)?;
                setsockopt(&fd, sockopt::Ipv4PacketInfo, &true)?;
                setsockopt(&fd, sockopt::IpFreebind, &true)?;
                bind(fd.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, DNS_PORT))?;
                Ok(fd)
            }
        }
    };
    open().map_err(refused("opening the room's name server"))
}

/// A packet socket on which the kernel lets through only what no other socket answers.
fn watch() -> Result<OwnedFd, Failure> {
    let fd = socket(AddressFamily::Packet, SockType::Datagram, FLAGS, SockProtocol::EthAll)
        .map_err(refused("watching for refused packets"))?;
    let filter = assemble(REFUSED);
    let program = program(&filter);
    let size = libc::socklen_t::try_from(size_of_val(&program)).unwrap_or(0);
    // SAFETY: `program` and the instructions it points to live through the call, and the kernel only copies them.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size,
        )
    };
    nix::errno::Errno::result(result).map_err(refused("filtering refused packets"))?;
    Ok(fd)
}

/// Accepts TCP resets that answer a first packet (a refusal has sequence number 0 and acknowledges), UDP other than to
/// or from a name server, and echo requests; each once, when it arrives. Offsets are from the IP header.
const REFUSED: &[Step] = &[
    Do(LOAD_BYTE, PACKET_TYPE),
    If(EQUAL, 0, NEXT, "drop"),
    Do(LOAD_BYTE, 0),
    Do(AND, 0xf0),
    If(EQUAL, 0x60, "v6", NEXT),
    If(EQUAL, 0x40, NEXT, "drop"),
    Do(LOAD_HALF, 6),
    If(ANY_BIT, 0x1fff, "drop", NEXT), // a later fragment has no ports
    Do(LOAD_X_HEADER, 0),
    Do(LOAD_BYTE, 9),
    If(EQUAL, UDP, "v4 udp", NEXT),
    If(EQUAL, ICMP, "v4 icmp", NEXT),
    If(EQUAL, TCP, NEXT, "drop"),
    Do(LOAD_BYTE_X, 13),
    Do(AND, RESET_AND_ACK),
    If(EQUAL, RESET_AND_ACK, NEXT, "drop"),
    Do(LOAD_WORD_X, 4),
    If(EQUAL, 0, "take", "drop"),
    Label("v4 udp"),
    Do(LOAD_HALF_X, 0),
    If(EQUAL, 53, "drop", NEXT),
    Do(LOAD_HALF_X, 2),
    If(EQUAL, 53, "drop", "take"),
    Label("v4 icmp"),
    Do(LOAD_BYTE_X, 0),
    If(EQUAL, ECHO_V4, "take", "drop"),
    Label("v6"),
    Do(LOAD_BYTE, 6),
    If(EQUAL, UDP, "v6 udp", NEXT),
    If(EQUAL, ICMP_V6, "v6 icmp", NEXT),
    If(EQUAL, TCP, NEXT, "drop"),
    Do(LOAD_BYTE, 40 + 13),
    Do(AND, RESET_AND_ACK),
    If(EQUAL, RESET_AND_ACK, NEXT, "drop"),
    Do(LOAD_WORD, 40 + 4),
    If(EQUAL, 0, "take", "drop"),
    Label("v6 udp"),
    Do(LOAD_HALF, 40),
    If(EQUAL, 53, "drop", NEXT),
    Do(LOAD_HALF, 42),
    If(EQUAL, 53, "drop", "take"),
    Label("v6 icmp"),
    Do(LOAD_BYTE, 40),
    If(EQUAL, ECHO_V6, "take", "drop"),
    Label("take"),
    Return(128),
    Label("drop"),
    Return(0),
];

/// `SKF_AD_OFF + SKF_AD_PKTTYPE`: 0 for a packet that arrives.
const PACKET_TYPE: u32 = 0xffff_f004;
const RESET_AND_ACK: u32 = 0x14;
const ICMP: u32 = 1;
const TCP: u32 = 6;
const UDP: u32 = 17;
const ICMP_V6: u32 = 58;
const ECHO_V4: u32 = 8;
const ECHO_V6: u32 = 128;
