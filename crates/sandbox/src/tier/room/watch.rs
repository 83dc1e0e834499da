//! Reads the packets that the kernel's filter lets through: what the command tried and no listener took.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use model::Protocol;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::refusals::{Refusals, is_own};

/// The filter cuts packets to this length.
const SNAPSHOT_BYTES: usize = 128;

/// The watch over one room's packets.
#[derive(Debug, Default)]
pub(super) struct Watching(Option<(oneshot::Sender<()>, JoinHandle<()>)>);

impl Watching {
    /// Begins to read from a packet socket.
    pub(super) fn begin(socket: AsyncFd<OwnedFd>, refusals: Arc<Refusals>) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            loop {
                let is_last = tokio::select! {
                    _ = &mut stopped => true,
                    ready = socket.readable() => match ready {
                        Ok(mut ready) => {
                            ready.clear_ready();
                            false
                        }
                        Err(_) => true,
                    },
                };
                drain(&socket, &refusals);
                if is_last {
                    break;
                }
            }
            // The kernel waits some 13 ms until no processor can see the socket; nobody else needs to.
            let descriptor = socket.into_inner();
            tokio::task::spawn_blocking(move || drop(descriptor));
        });
        Self(Some((stop, task)))
    }

    /// Reads what is there and ends.
    pub(super) async fn finish(mut self) {
        if let Some((stop, task)) = self.0.take() {
            let _ = stop.send(());
            let _ = task.await;
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some((_, task)) = &self.0 {
            task.abort();
        }
    }
}

fn drain(socket: &AsyncFd<OwnedFd>, refusals: &Refusals) {
    let mut packet = [0; SNAPSHOT_BYTES];
    loop {
        match nix::unistd::read(socket.get_ref().as_fd(), &mut packet) {
            Ok(0) | Err(nix::Error::EAGAIN) => return,
            Ok(length) => {
                if let Some((address, protocol)) = read_packet(&packet[..length.min(SNAPSHOT_BYTES)]) {
                    refusals.tell(address, protocol);
                }
            }
            Err(nix::Error::EINTR | nix::Error::ENOBUFS) => {}
            Err(error) => return tracing::debug!(%error, "watching the room"),
        }
    }
}

/// Returns what was refused, if the packet tells of a refusal that is worth listing.
fn read_packet(packet: &[u8]) -> Option<(SocketAddr, Protocol)> {
    let octets = |from: usize, to: usize| packet.get(from..to);
    let (source, destination, protocol, header): (IpAddr, IpAddr, u8, usize) = match packet.first()? >> 4 {
        4 => {
            let address =
                |from| octets(from, from + 4).and_then(|o| <[u8; 4]>::try_from(o).ok()).map(Ipv4Addr::from);
            (address(12)?.into(), address(16)?.into(), packet[9], usize::from(packet[0] & 0x0f) * 4)
        }
        6 => {
            let address =
                |from| octets(from, from + 16).and_then(|o| <[u8; 16]>::try_from(o).ok()).map(Ipv6Addr::from);
            (address(8)?.into(), address(24)?.into(), packet[6], 40)
        }
        _ => return None,
    };
    let port = |at| octets(header + at, header + at + 2).map(|o| u16::from_be_bytes([o[0], o[1]]));
    let (address, protocol) = match protocol {
        // A reset comes from the address that was asked.
        6 => (SocketAddr::new(source, port(0)?), Protocol::Tcp),
        17 => (SocketAddr::new(destination, port(2)?), Protocol::Udp),
        1 | 58 => (SocketAddr::new(destination, 0), Protocol::Icmp),
        _ => return None,
    };
    (!is_own(address.ip())).then_some((address, protocol))
}

/// Feeds bytes to the parser, also as what the kernel's filter lets through.
#[cfg(test)]
pub(super) fn no_panic(bytes: &[u8]) {
    read_packet(bytes);
    for version in [0x40, 0x60] {
        if let Some((first, rest)) = bytes.split_first() {
            read_packet(&[&[version | first & 0x0f], rest].concat());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(protocol: u8, source: [u8; 4], destination: [u8; 4], ports: (u16, u16)) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, protocol, 0, 0];
        packet.extend(source);
        packet.extend(destination);
        packet.extend(ports.0.to_be_bytes());
        packet.extend(ports.1.to_be_bytes());
        packet
    }

    #[test]
    fn refusals_name_the_address_that_was_asked() {
        let check = |packet: &[u8], expected: Option<(&str, Protocol)>| {
            let expected = expected.map(|(address, protocol)| (address.parse().unwrap(), protocol));
            assert_eq!(read_packet(packet), expected);
        };
        check(&v4(6, [1, 1, 1, 1], [127, 0, 0, 1], (22, 40000)), Some(("1.1.1.1:22", Protocol::Tcp)));
        check(&v4(17, [127, 0, 0, 1], [8, 8, 8, 8], (40000, 123)), Some(("8.8.8.8:123", Protocol::Udp)));
        check(&v4(1, [9, 9, 9, 9], [9, 9, 9, 9], (0x0800, 0)), Some(("9.9.9.9:0", Protocol::Icmp)));
        check(&v4(6, [127, 0, 0, 1], [127, 0, 0, 1], (22, 40000)), None);
        check(&v4(132, [1, 1, 1, 1], [1, 1, 1, 1], (1, 1)), None);
        let mut v6 = vec![0x60, 0, 0, 0, 0, 20, 6, 64];
        v6.extend("2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        v6.extend([0; 16]);
        v6.extend([0, 22, 1, 1]);
        check(&v6, Some(("[2001:db8::7]:22", Protocol::Tcp)));
    }
}
