//! Where a request was meant to go.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::uri::Authority;

use super::refused::Connection;

/// The longest name DNS allows.
const HOST_BYTES_MAX: usize = 253;

/// The service a request was meant for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Lower case, without a closing dot; an IPv6 address stands in brackets.
    pub host: String,
    /// The port the client connected to; the one it named only where it asked a forward proxy without a tunnel.
    pub port: u16,
    /// What the client connected to; unspecified where it asked a forward proxy for a name.
    pub address: SocketAddr,
}

/// Why a request's host cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// More than one header says it.
    #[error("several Host headers")]
    SeveralHosts,
    /// A path alone, where only a whole address says it.
    #[error("a proxy needs a whole address")]
    NoAddress,
    /// What stands there is none.
    #[error("the host is not a host name")]
    BadHost,
}

/// Finds where a request goes: its own address, else its Host header, else the TLS name, the name looked up, the address.
///
/// The port is always the one connected to: a header must not lead to a port that the room does not open.
pub(super) fn find<B>(
    request: &http::Request<B>,
    connection: &Connection,
    scheme: &'static str,
) -> Result<Origin, BadRequest> {
    let address = connection.address;
    let host = named(request)?.unwrap_or_else(|| connection.host());
    Ok(Origin { scheme, host, port: address.port(), address })
}

/// Returns the host that a request itself names: its own address, else its Host header.
pub fn named<B>(request: &http::Request<B>) -> Result<Option<String>, BadRequest> {
    let mut hosts = request.headers().get_all(http::header::HOST).iter();
    let header = hosts.next();
    // Two readers of such a request could see two hosts; nobody sends it in good faith (RFC 9112, 3.2).
    if hosts.next().is_some() {
        return Err(BadRequest::SeveralHosts);
    }
    let written = match (request.uri().authority(), header) {
        (Some(authority), _) => authority.as_str(),
        (None, Some(header)) => header.to_str().map_err(|_| BadRequest::BadHost)?.trim(),
        (None, None) => "",
    };
    if written.is_empty() { Ok(None) } else { read_authority(written).map(|(host, _)| Some(host)) }
}

/// Returns an address as a host: canonical, IPv6 in brackets.
pub(super) fn address_host(address: SocketAddr) -> String {
    match address.ip().to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

pub(super) fn read_authority(text: &str) -> Result<(String, Option<u16>), BadRequest> {
    let authority: Authority = text.parse().map_err(|_| BadRequest::BadHost)?;
    if authority.as_str().contains('@') {
        return Err(BadRequest::BadHost);
    }
    let host = authority.host();
    let after = authority.as_str().get(host.len()..).unwrap_or_default();
    let port = match after.strip_prefix(':') {
        None if after.is_empty() => None,
        Some("") => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().map_err(|_| BadRequest::BadHost)?)
        }
        _ => return Err(BadRequest::BadHost),
    };
    if let Some(bare) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        let address: Ipv6Addr = bare.parse().map_err(|_| BadRequest::BadHost)?;
        return Ok((format!("[{address}]"), port));
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_name = !host.is_empty()
        && host.len() <= HOST_BYTES_MAX
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    if is_name { Ok((host, port)) } else { Err(BadRequest::BadHost) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(server_name: Option<&str>, looked_up: Option<&str>) -> Connection {
        Connection {
            address: "198.18.0.7:8443".parse().unwrap(),
            looked_up: looked_up.map(str::to_owned),
            server_name: server_name.map(str::to_owned),
        }
    }

    fn check(uri: &str, hosts: &[&str], from: &Connection, expected: Result<(&str, u16), BadRequest>) {
        let mut request = http::Request::get(uri);
        for host in hosts {
            request = request.header("host", *host);
        }
        let found = find(&request.body(()).unwrap(), from, "https");
        let found = found.map(|origin| (origin.host, origin.port));
        assert_eq!(found, expected.map(|(host, port)| (host.to_owned(), port)), "{uri} {hosts:?}");
    }

    #[test]
    fn the_request_names_its_host() {
        let from = connection(Some("greeted.example"), Some("looked-up.example"));
        check("/a", &["Registry.NPMJS.org"], &from, Ok(("registry.npmjs.org", 8443)));
        check("/a", &["a.example.:8443"], &from, Ok(("a.example", 8443)));
        check("/a", &["a.example:"], &from, Ok(("a.example", 8443)));
        check("/a", &["[2001:DB8::0:1]"], &from, Ok(("[2001:db8::1]", 8443)));
        check("http://b.example/a", &["a.example"], &from, Ok(("b.example", 8443)));
    }

    #[test]
    fn a_port_in_a_request_does_not_lead_away_from_the_port_connected_to() {
        let from = connection(Some("greeted.example"), None);
        check("/a", &["10.0.0.1:9998"], &from, Ok(("10.0.0.1", 8443)));
        check("/a", &["[2001:db8::1]:22"], &from, Ok(("[2001:db8::1]", 8443)));
        check("http://b.example:9998/a", &["b.example:9998"], &from, Ok(("b.example", 8443)));
    }

    #[test]
    fn without_a_host_the_connection_names_it() {
        let both = connection(Some("greeted.example"), Some("looked-up.example"));
        check("/a", &[], &both, Ok(("greeted.example", 8443)));
        check("/a", &[""], &both, Ok(("greeted.example", 8443)));
        check("/a", &[], &connection(None, Some("looked-up.example")), Ok(("looked-up.example", 8443)));
        check("/a", &[], &connection(None, None), Ok(("198.18.0.7", 8443)));
    }

    #[test]
    fn a_host_that_is_none_is_refused() {
        let from = connection(Some("greeted.example"), None);
        check("/a", &["a.example", "a.example"], &from, Err(BadRequest::SeveralHosts));
        for host in [
            "me:pw@a.example",
            "a.example/b",
            "a b",
            "a.example:99999",
            "a.example:x",
            "[::1",
            "[fe80::1%25lo]",
            ".",
            "a.example\u{e9}",
            "-\t-",
            "a,b",
            "::1",
        ] {
            check("/a", &[host], &from, Err(BadRequest::BadHost));
        }
        check("/a", &[&"a".repeat(254)], &from, Err(BadRequest::BadHost));
    }
}
