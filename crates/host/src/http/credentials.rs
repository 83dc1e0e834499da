//! Credentials with which Outlast asks: for one host each, and for nothing that would change something there.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, HeaderValue, Method, header};
use model::{ObjectUrl, SafeUrl, Secret};

/// What Outlast says to one host so that it is let in.
#[derive(Clone)]
pub struct Credentials {
    host: String,
    authorization: Secret<HeaderValue>,
}

impl Credentials {
    /// Reads `TOKEN`, or `USER:PASSWORD`; nothing for what is neither.
    pub fn read(host: &str, line: &str) -> Option<Self> {
        let is_one = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_graphic());
        let text = match line.contains(':') {
            true => format!("Basic {}", BASE64.encode(line)),
            false => format!("Bearer {line}"),
        };
        let mut value = HeaderValue::try_from(text).ok().filter(|_| is_one)?;
        value.set_sensitive(true);
        Some(Self { host: host.to_ascii_lowercase(), authorization: Secret::new(value) })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.host)
    }
}

/// Credentials by host; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Keyring(Arc<HashMap<String, Key>>);

#[derive(Debug)]
struct Key {
    authorization: Secret<HeaderValue>,
    /// Names and ports at which it is used.
    authorities: HashSet<String>,
}

impl Keyring {
    /// Binds each to its host: at the usual port, and where one of these addresses is at that host.
    pub fn new<'a>(all: &[Credentials], urls: impl Iterator<Item = &'a ObjectUrl> + Clone) -> Self {
        let key = |credentials: &Credentials| {
            let Credentials { host, authorization } = credentials.clone();
            let urls = urls.clone().filter(|url| url.host() == host);
            let authorities = urls.map(|url| url.authority().to_owned()).chain([host.clone()]).collect();
            (host, Key { authorization, authorities })
        };
        Self(Arc::new(all.iter().map(key).collect()))
    }

    /// Returns whether a host is asked with credentials.
    pub fn has(&self, host: &str) -> bool {
        self.0.contains_key(host)
    }

    /// Adds what lets Outlast in, where this very address is asked for something.
    pub fn sign(&self, method: &Method, url: &SafeUrl, headers: &mut HeaderMap) {
        if matches!(*method, Method::GET | Method::HEAD) {
            self.sign_question(url, headers);
        }
    }

    /// The same for a request of any method that is known to change nothing there: git asks for refs and packs by POST.
    pub fn sign_question(&self, url: &SafeUrl, headers: &mut HeaderMap) {
        if let Some(key) = self.key(url) {
            headers.insert(header::AUTHORIZATION, key.authorization.expose().clone());
        }
    }

    /// Returns whether this very address is asked with credentials.
    pub fn signs(&self, url: &SafeUrl) -> bool {
        self.key(url).is_some()
    }

    fn key(&self, url: &SafeUrl) -> Option<&Key> {
        let url = url.object();
        let key = self.0.get(url.host()).filter(|_| url.scheme() == "https")?;
        key.authorities.contains(url.authority()).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(method: &Method, url: &str) -> String {
        let credentials = [("a.example", "S3CRET"), ("B.example", "me:S3CRET")];
        let credentials = credentials.map(|(host, line)| Credentials::read(host, line).unwrap());
        let registry = ObjectUrl::parse("https://b.example:8443/npm/").unwrap();
        let keyring = Keyring::new(&credentials, [&registry].into_iter());
        assert!(!format!("{credentials:?} {keyring:?}").contains("S3CRET"));
        let mut headers = HeaderMap::new();
        keyring.sign(method, &SafeUrl::parse(url).unwrap(), &mut headers);
        assert!(!format!("{headers:?}").contains("S3CRET"));
        headers.get(header::AUTHORIZATION).map_or("", |value| value.to_str().unwrap()).to_owned()
    }

    #[test]
    fn only_the_very_host_gets_its_credentials() {
        let basic = "Basic bWU6UzNDUkVU";
        for (url, expected) in [
            ("https://a.example/x", "Bearer S3CRET"),
            ("https://A.example:443/x?y", "Bearer S3CRET"),
            ("https://b.example/x", basic),
            ("https://b.example:8443/x", basic),
            ("http://a.example/x", ""),
            ("https://a.example:8443/x", ""),
            ("https://b.example:444/x", ""),
            ("https://c.a.example/x", ""),
            ("https://a.example.evil.example/x", ""),
            ("https://a.example@evil.example/x", ""),
            ("https://evil.example/https://a.example/", ""),
        ] {
            assert_eq!(sent(&Method::GET, url), expected, "{url}");
        }
        assert_eq!(sent(&Method::HEAD, "https://a.example/x"), "Bearer S3CRET");
        assert_eq!(sent(&Method::POST, "https://a.example/x"), "", "nothing is changed with them");
    }

    #[test]
    fn credentials_are_one_line_without_blanks() {
        for line in ["", "a b", "a\nb", "t\u{f6}ken", "a\r"] {
            assert!(Credentials::read("a.example", line).is_none(), "{line:?}");
        }
    }
}
