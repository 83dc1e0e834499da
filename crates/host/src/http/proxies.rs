//! The proxies through which whoever starts Outlast reaches the world: `https_proxy`, `http_proxy` and `no_proxy`.
//!
//! There is no standard for them; this is what curl and Go agree on. This machine's own loopback is never asked through a proxy.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderValue;
use model::Secret;

use super::address::Network;

/// The longest list in `no_proxy` that is read.
const N_EXCEPTIONS_MAX: usize = 10_000;

/// One proxy.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    /// `host:port`.
    pub(crate) authority: String,
    /// What lets in at it, as a header has it.
    pub(crate) authorization: Option<Secret<HeaderValue>>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({})", self.authority)
    }
}

/// What is asked without a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    Everything,
    Addresses(Network),
    /// A name and all below it, at one port or at all.
    Names(String, Option<u16>),
}

/// Which proxies there are, and for what.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    https: Option<Proxy>,
    http: Option<Proxy>,
    exceptions: Vec<Exception>,
}

/// A variable names a proxy that cannot be asked; what it says may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{variable}` is no proxy such as `http://proxy.example:3128`")]
pub struct BadProxy {
    variable: &'static str,
}

impl Proxies {
    /// Reads the variables of an environment, each in lower or upper case; the lower one wins.
    ///
    /// # Errors
    /// A value that names no proxy that speaks plain HTTP.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, BadProxy> {
        let set = |name: &str| {
            let value = variable(name).or_else(|| variable(&name.to_ascii_uppercase()));
            value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let proxy = |name: &'static str| {
            set(name).map(|text| Proxy::parse(&text).ok_or(BadProxy { variable: name })).transpose()
        };
        let exceptions = set("no_proxy").unwrap_or_default();
        let exceptions = exceptions.split([',', ' ']).filter(|text| !text.is_empty());
        Ok(Self {
            https: proxy("https_proxy")?,
            http: proxy("http_proxy")?,
            exceptions: exceptions.take(N_EXCEPTIONS_MAX).map(Exception::parse).collect(),
        })
    }

    /// Returns whether a host is asked through a proxy, so that it alone knows whether there is such a name.
    pub fn has(&self, host: &str) -> bool {
        self.find(true, host, 443).is_some() || self.find(false, host, 80).is_some()
    }

    /// Returns whether one of them is whoever listens on an address of this machine.
    pub fn lead_to(&self, address: SocketAddr) -> bool {
        let is_it = |proxy: &Proxy| {
            let (host, port) = proxy.authority.rsplit_once(':').unwrap_or_default();
            let host = if host.eq_ignore_ascii_case("localhost") { "127.0.0.1" } else { host };
            let named: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
            let is_here = |named: IpAddr| {
                named == address.ip() || address.ip().is_unspecified() && named.to_canonical().is_loopback()
            };
            port == address.port().to_string() && named.is_some_and(is_here)
        };
        self.https.iter().chain(&self.http).any(is_it)
    }

    /// Returns the proxy through which a host is asked; `host` without brackets.
    pub(crate) fn find(&self, is_tls: bool, host: &str, port: u16) -> Option<&Proxy> {
        let proxy = if is_tls { self.https.as_ref() } else { self.http.as_ref() }?;
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let address: Option<IpAddr> = host.parse().ok();
        let is_here = host == "localhost"
            || host.ends_with(".localhost")
            || address.is_some_and(|it| it.to_canonical().is_loopback());
        let is_exception = is_here || self.exceptions.iter().any(|it| it.fits(&host, address, port));
        (!is_exception).then_some(proxy)
    }
}

impl Proxy {
    /// Reads `http://user:password@host:port`, of which only the host is needed.
    fn parse(text: &str) -> Option<Self> {
        let rest = match text.split_once("://") {
            Some((scheme, rest)) => Some(rest).filter(|_| scheme.eq_ignore_ascii_case("http"))?,
            None => text,
        };
        let rest = rest.split(['/', '?', '#']).next()?;
        let (login, authority) = match rest.rsplit_once('@') {
            Some((login, authority)) => (Some(login), authority),
            None => (None, rest),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
            // What curl takes where none is written.
            _ => (authority, 1080_u16),
        };
        let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        if host.is_empty() || port == 0 || !host.bytes().all(is_of_host) {
            return None;
        }
        let authorization = match login {
            Some(login) => {
                let login = if login.contains(':') { decoded(login)? } else { decoded(login)? + ":" };
                let mut value = HeaderValue::try_from(format!("Basic {}", BASE64.encode(login))).ok()?;
                value.set_sensitive(true);
                Some(Secret::new(value))
            }
            None => None,
        };
        Some(Self { authority: format!("{host}:{port}"), authorization })
    }
}

impl Exception {
    fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::Everything;
        }
        if let Ok(network) = text.trim_matches(['[', ']']).parse() {
            return Self::Addresses(network);
        }
        let name = text.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase();
        match name.rsplit_once(':').and_then(|(name, port)| Some((name.to_owned(), port.parse().ok()?))) {
            Some((name, port)) => Self::Names(name, Some(port)),
            None => Self::Names(name, None),
        }
    }

    fn fits(&self, host: &str, address: Option<IpAddr>, port: u16) -> bool {
        match self {
            Self::Everything => true,
            Self::Addresses(network) => address.is_some_and(|address| network.contains(address)),
            Self::Names(name, only) => {
                let is_below =
                    || host.strip_suffix(name.as_str()).is_some_and(|before| before.ends_with('.'));
                only.is_none_or(|only| only == port) && (host == name || is_below())
            }
        }
    }
}

/// Undoes percent signs.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).ok()
}

/// Returns whether a name is one of the world, by what can be seen of it: what it resolves to, only the proxy knows.
pub(crate) fn is_public_name(host: &str) -> bool {
    /// Names that are not of the public DNS: RFC 6761, RFC 6762, RFC 8375 and RFC 9476, and what ICANN keeps for private use.
    const PRIVATE: [&str; 9] =
        ["localhost", "local", "internal", "intranet", "lan", "home", "corp", "home.arpa", "alt"];
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_below = |end: &str| host.strip_suffix(end).is_some_and(|before| before.ends_with('.'));
    host.contains('.')
        && host.rsplit('.').next().is_some_and(|last| last.bytes().any(|byte| byte.is_ascii_alphabetic()))
        && !last_is_number(&host)
        && !PRIVATE.iter().any(|end| is_below(end))
}

/// Returns whether the last part of a name is a number to those who read `0x7f000001` as an address.
fn last_is_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(pairs: &[(&str, &str)]) -> Result<Proxies, BadProxy> {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Proxies::read(|name| pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone()))
    }

    fn found(proxies: &Proxies, is_tls: bool, host: &str, port: u16) -> String {
        proxies.find(is_tls, host, port).map_or_else(String::new, |proxy| proxy.authority.clone())
    }

    #[test]
    fn a_proxy_is_for_its_scheme_and_the_lower_case_wins() {
        let both = proxies(&[
            ("https_proxy", "http://p.example:3128/"),
            ("HTTPS_PROXY", "http://other.example:1"),
            ("HTTP_PROXY", "q.example"),
        ])
        .unwrap();
        assert_eq!(found(&both, true, "a.example", 443), "p.example:3128");
        assert_eq!(found(&both, false, "a.example", 80), "q.example:1080");
        assert_eq!(found(&proxies(&[("https_proxy", " ")]).unwrap(), true, "a.example", 443), "");
        assert_eq!(found(&Proxies::default(), true, "a.example", 443), "");
        for here in ["localhost", "x.localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(found(&both, true, here, 443), "", "{here}");
        }
    }

    #[test]
    fn exceptions_are_names_and_what_is_below_them_ports_and_addresses() {
        let list =
            "acme.example, .corp.example,*.wild.example only.example:8443 10.0.0.0/8,192.0.2.7,[fd00::1]";
        let some = proxies(&[("https_proxy", "p.example:1"), ("no_proxy", list)]).unwrap();
        for (host, port, is_asked_directly) in [
            ("acme.example", 443, true),
            ("ACME.example.", 443, true),
            ("npm.acme.example", 443, true),
            ("notacme.example", 443, false),
            ("a.corp.example", 443, true),
            ("a.wild.example", 443, true),
            ("only.example", 443, false),
            ("only.example", 8443, true),
            ("10.1.2.3", 443, true),
            ("11.1.2.3", 443, false),
            ("192.0.2.7", 443, true),
            ("fd00::1", 443, true),
        ] {
            assert_eq!(found(&some, true, host, port).is_empty(), is_asked_directly, "{host}:{port}");
        }
        let none = proxies(&[("https_proxy", "p.example:1"), ("no_proxy", "*")]).unwrap();
        assert_eq!(found(&none, true, "a.example", 443), "");
    }

    #[test]
    fn a_login_is_sent_and_never_shown() {
        let login = |value: &str| {
            let proxies = proxies(&[("https_proxy", value)]).unwrap();
            let shown = format!("{proxies:?}");
            assert!(!shown.contains("S3CRET") && !shown.contains("Basic"), "{shown}");
            let authorization = proxies.https.unwrap().authorization.unwrap();
            authorization.expose().to_str().unwrap().to_owned()
        };
        assert_eq!(login("http://me:S3CRET@p.example:1"), "Basic bWU6UzNDUkVU");
        assert_eq!(login("http://me:S3%43RET@p.example:1"), "Basic bWU6UzNDUkVU");
        assert_eq!(login("me@p.example:1"), "Basic bWU6");
        for bad in [
            "socks5://me:S3CRET@p.example:1",
            "https://me:S3CRET@p.example:1",
            "http://me:S3CRET@",
            "http://S3CRET@p.example:x",
            "http://%zz:S3CRET@p.example:1",
            "http://p.example:0",
        ] {
            let error = proxies(&[("https_proxy", bad)]).unwrap_err().to_string();
            assert!(error.starts_with("`https_proxy` is no proxy") && !error.contains("S3CRET"), "{error}");
        }
    }

    #[test]
    fn whoever_listens_here_is_known_in_each_way_to_write_it() {
        let check = |proxy: &str, listens: &str, expected| {
            let found = proxies(&[("https_proxy", proxy)]).unwrap().lead_to(listens.parse().unwrap());
            assert_eq!(found, expected, "{proxy} {listens}");
        };
        check("http://token:x@127.0.0.1:8643", "127.0.0.1:8643", true);
        check("http://localhost:8643", "127.0.0.1:8643", true);
        check("localhost:8643", "0.0.0.0:8643", true);
        check("http://[::1]:8643", "[::]:8643", true);
        check("http://10.0.0.1:8643", "10.0.0.1:8643", true);
        for (proxy, listens) in [
            ("http://127.0.0.1:8644", "127.0.0.1:8643"),
            ("http://10.0.0.2:8643", "10.0.0.1:8643"),
            ("http://10.0.0.1:8643", "0.0.0.0:8643"),
            ("http://p.example:8643", "0.0.0.0:8643"),
        ] {
            check(proxy, listens, false);
        }
        assert!(!Proxies::default().lead_to("127.0.0.1:1080".parse().unwrap()));
    }

    #[test]
    fn a_name_of_the_world_looks_like_one() {
        for name in ["registry.npmjs.org", "A.example.", "xn--bcher-kva.example"] {
            assert!(is_public_name(name), "{name}");
        }
        for name in [
            "intranet",
            "metadata.google.internal",
            "printer.local",
            "a.corp",
            "nas.home.arpa",
            "10.0.0.1",
            "a.0x7f",
            "fd00::1",
            "",
            ".",
        ] {
            assert!(!is_public_name(name), "{name}");
        }
    }
}
