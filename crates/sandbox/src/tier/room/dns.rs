//! The room's name server: every name that exists gets an address of the room.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, getsockname, recvmsg, sendmsg,
};
use simple_dns::rdata::{A, AAAA, PTR, RData};
use simple_dns::{CLASS, Name, OPCODE, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::events::{Events, Resolution};
use crate::names::Names;

/// Seconds. Addresses last as long as the room; programs that keep them longer than a run would be a surprise.
const TIME_TO_LIVE_S: u32 = 60;
/// A query is some dozen bytes; with every extension it stays below this.
const MAX_QUERY_BYTES: usize = 4096;
/// Queries being answered at once; more wait.
const MAX_QUERIES: usize = 256;
/// A client that opens a stream and says nothing is sent away.
const STREAM_TIMEOUT: Duration = Duration::from_secs(10);

/// Which addresses the room has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Families {
    Both,
    V4,
}

/// Answers datagrams, each from the address it was sent to.
pub(super) async fn serve_datagrams(socket: AsyncFd<OwnedFd>, events: Arc<dyn Events>, names: Names) {
    let is_v4 = getsockname::<SockaddrStorage>(socket.as_raw_fd())
        .is_ok_and(|address| address.as_sockaddr_in().is_some());
    let families = if is_v4 { Families::V4 } else { Families::Both };
    let socket = Arc::new(socket);
    let mut answers = JoinSet::new();
    while let Ok(mut ready) = socket.readable().await {
        let Ok(received) = ready.try_io(|socket| receive(socket.get_ref())) else { continue };
        let Ok(Some(query)) = received else { continue };
        if answers.len() >= MAX_QUERIES {
            answers.join_next().await;
        }
        while answers.try_join_next().is_some() {}
        let (socket, events, names) = (Arc::clone(&socket), Arc::clone(&events), names.clone());
        answers.spawn(async move {
            if let Some(answer) = answer(&query.bytes, &*events, &names, families).await {
                // An answer that the socket has no room for is a datagram lost, and asked for again.
                let _ = respond(socket.get_ref(), &query, &answer);
            }
        });
    }
}

/// Answers queries over TCP, each with its length before it.
pub(super) async fn serve_streams(listener: TcpListener, events: Arc<dyn Events>, names: Names) {
    let is_v4 = listener.local_addr().is_ok_and(|address| address.is_ipv4());
    let families = if is_v4 { Families::V4 } else { Families::Both };
    let mut streams = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        if streams.len() >= MAX_QUERIES {
            streams.join_next().await;
        }
        while streams.try_join_next().is_some() {}
        let (events, names) = (Arc::clone(&events), names.clone());
        streams.spawn(async move {
            let conversation = converse(stream, &*events, &names, families);
            // The client sees a closed connection either way.
            let _ = tokio::time::timeout(STREAM_TIMEOUT, conversation).await;
        });
    }
}

async fn converse(
    mut stream: TcpStream,
    events: &dyn Events,
    names: &Names,
    families: Families,
) -> io::Result<()> {
    loop {
        let length = usize::from(stream.read_u16().await?);
        if length > MAX_QUERY_BYTES {
            return Ok(());
        }
        let mut query = vec![0; length];
        stream.read_exact(&mut query).await?;
        let Some(answer) = answer(&query, events, names, families).await else { return Ok(()) };
        let mut framed = u16::try_from(answer.len()).map_err(io::Error::other)?.to_be_bytes().to_vec();
        framed.extend(answer);
        stream.write_all(&framed).await?;
    }
}

struct Query {
    bytes: Vec<u8>,
    client: SockaddrStorage,
    asked: IpAddr,
}

fn receive(socket: &OwnedFd) -> io::Result<Option<Query>> {
    let mut bytes = vec![0; MAX_QUERY_BYTES];
    let mut space = nix::cmsg_space!(libc::in6_pktinfo, libc::in_pktinfo);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let message =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_DONTWAIT)?;
    let mut asked = None;
    for control in message.cmsgs()? {
        match control {
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                asked = Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr)));
            }
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                asked = Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr))));
            }
            _ => {}
        }
    }
    let (length, client) = (message.bytes, message.address);
    bytes.truncate(length);
    Ok(client.zip(asked).map(|(client, asked)| Query { bytes, client, asked }))
}

fn respond(socket: &OwnedFd, query: &Query, answer: &[u8]) -> nix::Result<usize> {
    let parts = [IoSlice::new(answer)];
    let send = |control| {
        sendmsg(socket.as_raw_fd(), &parts, &[control], MsgFlags::MSG_DONTWAIT, Some(&query.client))
    };
    match query.asked {
        IpAddr::V6(address) => {
            let address = libc::in6_addr { s6_addr: address.octets() };
            send(ControlMessage::Ipv6PacketInfo(&libc::in6_pktinfo { ipi6_addr: address, ipi6_ifindex: 0 }))
        }
        IpAddr::V4(address) => {
            let address = libc::in_addr { s_addr: u32::from(address).to_be() };
            let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: address, ipi_addr: address };
            send(ControlMessage::Ipv4PacketInfo(&info))
        }
    }
}

/// Returns the answer to a query; none to what is no query at all.
async fn answer(query: &[u8], events: &dyn Events, names: &Names, families: Families) -> Option<Vec<u8>> {
    let query = Packet::parse(query).ok()?;
    if query.has_flags(PacketFlag::RESPONSE) {
        return None;
    }
    let mut reply = Packet::new_reply(query.id());
    reply.set_flags(PacketFlag::RECURSION_AVAILABLE | PacketFlag::AUTHORITATIVE_ANSWER);
    if query.has_flags(PacketFlag::RECURSION_DESIRED) {
        reply.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    *reply.opcode_mut() = query.opcode();
    let [question] = &query.questions[..] else {
        *reply.rcode_mut() = RCODE::FormatError;
        return reply.build_bytes_vec().ok();
    };
    reply.questions.push(question.clone());
    if query.opcode() != OPCODE::StandardQuery {
        *reply.rcode_mut() = RCODE::NotImplemented;
        return reply.build_bytes_vec().ok();
    }
    let name = question.qname.to_string().trim_end_matches('.').to_ascii_lowercase();
    let (code, data) = resolve(&name, question.qtype, events, names, families).await;
    *reply.rcode_mut() = code;
    for data in data {
        reply.answers.push(ResourceRecord::new(question.qname.clone(), CLASS::IN, TIME_TO_LIVE_S, data));
    }
    reply.build_bytes_vec_compressed().ok()
}

async fn resolve(
    name: &str,
    kind: QTYPE,
    events: &dyn Events,
    names: &Names,
    families: Families,
) -> (RCODE, Vec<RData<'static>>) {
    if let Some(address) = address_of_pointer(name) {
        return pointer(names.name_of(address));
    }
    if name.is_empty() || !is_host_name(name) {
        return (RCODE::NameError, Vec::new());
    }
    let (v4, v6) = if name == "localhost" || name.ends_with(".localhost") {
        (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST)
    } else {
        match events.resolve(name).await {
            Resolution::Nxdomain => return (RCODE::NameError, Vec::new()),
            Resolution::Unknown => return (RCODE::ServerFailure, Vec::new()),
            Resolution::Answer => match names.addresses_of(name) {
                Some(addresses) => addresses,
                None => return (RCODE::ServerFailure, Vec::new()),
            },
        }
    };
    let v4 = RData::A(A { address: v4.to_bits() });
    let v6 = (families == Families::Both).then(|| RData::AAAA(AAAA { address: v6.to_bits() }));
    // Other records, HTTPS and SVCB among them, would lead clients to addresses and keys that are not ours to give.
    let data = match kind {
        QTYPE::TYPE(TYPE::A) => vec![v4],
        QTYPE::TYPE(TYPE::AAAA) => v6.into_iter().collect(),
        QTYPE::ANY => std::iter::once(v4).chain(v6).collect(),
        _ => Vec::new(),
    };
    (RCODE::NoError, data)
}

fn pointer(name: Option<String>) -> (RCODE, Vec<RData<'static>>) {
    match name.as_deref().map(Name::new) {
        Some(Ok(name)) => (RCODE::NoError, vec![RData::PTR(PTR(name.into_owned()))]),
        _ => (RCODE::NameError, Vec::new()),
    }
}

fn is_host_name(name: &str) -> bool {
    name.len() <= 253 && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_'))
}

/// Reads `4.3.2.1.in-addr.arpa` and the nibbles of `ip6.arpa`.
fn address_of_pointer(name: &str) -> Option<IpAddr> {
    if let Some(labels) = name.strip_suffix(".in-addr.arpa") {
        let mut octets = labels.split('.').map(str::parse::<u8>);
        let mut next = || octets.next()?.ok();
        let (d, c, b, a) = (next()?, next()?, next()?, next()?);
        return Some(Ipv4Addr::new(a, b, c, d).into());
    }
    let labels = name.strip_suffix(".ip6.arpa")?;
    let nibbles = labels.split('.').map(|label| u128::from_str_radix(label, 16).ok().filter(|n| *n < 16));
    let nibbles: Vec<u128> = nibbles.collect::<Option<_>>()?;
    (nibbles.len() == 32)
        .then(|| Ipv6Addr::from_bits(nibbles.iter().rev().fold(0, |bits, n| (bits << 4) | n)).into())
}

/// Feeds bytes to the server as a query; what it answers is a packet, and what has no header gets none.
#[cfg(test)]
pub(super) fn no_panic(bytes: &[u8]) {
    use std::task::{Context, Poll, Waker};
    let names = Names::default();
    let mut asking = std::pin::pin!(answer(bytes, &tests::Knowing, &names, Families::Both));
    let Poll::Ready(answer) = asking.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it waits for nothing here");
    };
    assert!(answer.is_none_or(|answer| bytes.len() >= 12 && Packet::parse(&answer).is_ok()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Connection, Resolving};
    use model::Refused;

    /// Knows every name but those that end in `invalid`.
    pub(super) struct Knowing;

    impl Events for Knowing {
        fn connection(&self, _connection: Connection) {}

        fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
            let is_known = !name.ends_with("invalid");
            Box::pin(async move { if is_known { Resolution::Answer } else { Resolution::Nxdomain } })
        }

        fn refused(&self, _refused: Refused) {}
    }

    fn query(name: &'static str, kind: TYPE) -> Vec<u8> {
        let mut packet = Packet::new_query(7);
        let name = Name::new_unchecked(name);
        packet.questions.push(simple_dns::Question::new(name, kind.into(), CLASS::IN.into(), false));
        packet.build_bytes_vec().unwrap()
    }

    /// Returns the answer's code and how many records it has.
    async fn ask(bytes: &[u8], families: Families) -> Option<(RCODE, usize)> {
        let answer = answer(bytes, &Knowing, &Names::default(), families).await?;
        let packet = Packet::parse(&answer).unwrap();
        Some((packet.rcode(), packet.answers.len()))
    }

    #[tokio::test]
    async fn a_name_that_exists_has_addresses_and_nothing_else() {
        let check = async |name, kind, families, expected| {
            assert_eq!(ask(&query(name, kind), families).await, Some(expected), "{name} {kind:?}");
        };
        check("crates.io", TYPE::A, Families::Both, (RCODE::NoError, 1)).await;
        check("crates.io", TYPE::AAAA, Families::Both, (RCODE::NoError, 1)).await;
        check("crates.io", TYPE::AAAA, Families::V4, (RCODE::NoError, 0)).await;
        check("crates.io", TYPE::MX, Families::Both, (RCODE::NoError, 0)).await;
        check("single", TYPE::A, Families::Both, (RCODE::NoError, 1)).await;
        check("a.invalid", TYPE::A, Families::Both, (RCODE::NameError, 0)).await;
        check("4.3.2.1.in-addr.arpa", TYPE::PTR, Families::Both, (RCODE::NameError, 0)).await;
    }

    #[test]
    fn pointers_are_read_for_both_protocols() {
        let nibbles = format!("1{}.d.f.ip6.arpa", ".0".repeat(29));
        assert_eq!(address_of_pointer("4.3.2.1.in-addr.arpa"), Some([1, 2, 3, 4].into()));
        assert_eq!(address_of_pointer(&nibbles), Some("fd00::1".parse().unwrap()));
        for name in ["3.2.1.in-addr.arpa", "a.3.2.1.in-addr.arpa", "0.0.ip6.arpa", "crates.io"] {
            assert_eq!(address_of_pointer(name), None, "{name}");
        }
    }
}
