//! The addresses of a server that stands in for registries, in both directions: what of the world a path of it means, and where
//! on it something of the world lies.

mod settings;

use std::borrow::Cow;

use memchr::memmem::Finder;
use model::ObjectUrl;

use crate::class::IndexRequest;
use crate::coordinate::Coordinate;
use crate::ecosystem::ALL;
use crate::private::PrivateRegistries;

pub use settings::ClientSettings;

/// Under which path everything lies that no door of its own has: `/files/<host>/<path>`.
const FILES: &str = "/files/";

/// Where a server offers the public registry of an ecosystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The path, `/npm/`.
    pub path: &'static str,
    /// What lies there, `https://registry.npmjs.org/`.
    pub registry: &'static str,
}

/// What a path of a server means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// What lies at an address of the world.
    At(String),
    /// A file that is wanted by its name: whoever asks does not say where it lies. One of the indexes says that.
    Named {
        /// Which file.
        coordinate: Coordinate,
        /// Who knows where it lies, the likeliest first.
        indexes: Vec<IndexRequest>,
    },
}

/// A server, by the address under which clients know it.
#[derive(Debug, Clone)]
pub struct Site {
    base: String,
    wants_token: bool,
    proxy: Option<String>,
    private: PrivateRegistries,
    /// Under which other addresses hosts know themselves, each with the host.
    others: Vec<(String, String)>,
}

impl Site {
    /// Takes the server's own address: scheme, host, port and perhaps a path, `http://127.0.0.1:8080`.
    pub fn new(base: &ObjectUrl) -> Self {
        Self {
            base: base.as_str().trim_end_matches('/').to_owned(),
            wants_token: false,
            proxy: None,
            private: PrivateRegistries::default(),
            others: Vec::new(),
        }
    }

    /// Returns the world itself, in which everything lies at its own address: what is linked to it has no relative addresses.
    pub fn of_world() -> Self {
        Self {
            base: String::new(),
            wants_token: false,
            proxy: None,
            private: PrivateRegistries::default(),
            others: Vec::new(),
        }
    }

    /// Says which registries of a company it offers beside the public ones, and where hosts really are that are elsewhere: their
    /// documents may name themselves so.
    pub fn with_private(self, private: PrivateRegistries, others: Vec<(ObjectUrl, String)>) -> Self {
        let base = |url: ObjectUrl| format!("{}/", url.as_str().trim_end_matches('/'));
        Self { private, others: others.into_iter().map(|(url, host)| (base(url), host)).collect(), ..self }
    }

    /// Returns the registries of a company that it offers.
    pub const fn private(&self) -> &PrivateRegistries {
        &self.private
    }

    /// Says that whoever brings no token is refused.
    pub fn guarded(self) -> Self {
        Self { wants_token: true, ..self }
    }

    /// Returns whether a host can be one of the world: it has a name, and is no address.
    pub fn can_be_host(host: &str) -> bool {
        !host.contains(':') && is_authority(host)
    }

    /// Returns whether whoever brings no token is refused.
    pub const fn wants_token(&self) -> bool {
        self.wants_token
    }

    /// Returns the server's own address, without a slash at its end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Returns what a path of the server means, query included; `None` where no door is.
    pub fn target(path_and_query: &str) -> Option<Target> {
        if let Some(named) = ALL.iter().find_map(|ecosystem| ecosystem.named(path_and_query)) {
            return Some(named);
        }
        if let Some(rest) = path_and_query.strip_prefix(FILES) {
            let authority = rest.split(['/', '?']).next()?;
            return is_authority(authority).then(|| Target::At(format!("https://{rest}")));
        }
        let mut places = ALL.iter().filter_map(|ecosystem| ecosystem.place());
        let (registry, rest) =
            places.find_map(|place| Some((place.registry, path_and_query.strip_prefix(place.path)?)))?;
        Some(Target::At(format!("{registry}{rest}")))
    }

    /// Returns where on the server lies what has an `https` address, percent-encoding and placeholders as they are; `None` for
    /// what is no such address.
    pub fn address(&self, url: &str) -> Option<String> {
        let (n_replaced, prefix) = self.prefix(url)?;
        Some(format!("{prefix}{}", &url[n_replaced..]))
    }

    /// Returns how many bytes of an address to replace, and what by: the rest is the same on both sides.
    fn prefix(&self, url: &str) -> Option<(usize, String)> {
        if self.base.is_empty() {
            return None;
        }
        if let Some((base, host)) = self.others.iter().find(|(base, _)| url.starts_with(base)) {
            let real = format!("https://{host}/{}", &url[base.len()..]);
            let (n_replaced, prefix) = self.prefix_of(&real)?;
            // What is replaced of the real address stands for more or less of the one that is written.
            let kept = real.len().checked_sub(n_replaced)?;
            return Some((url.len() - kept, prefix));
        }
        self.prefix_of(url)
    }

    fn prefix_of(&self, url: &str) -> Option<(usize, String)> {
        let ended = &url[..url.find(['"', '\'', '<', '>', ' ', '\\']).unwrap_or(url.len())];
        if let Some((n_replaced, path)) = self.private.prefix(ended) {
            return Some((n_replaced, format!("{}{path}", self.base)));
        }
        let place = ALL
            .iter()
            .filter_map(|ecosystem| ecosystem.place())
            .find(|place| url.get(..place.registry.len()) == Some(place.registry));
        if let Some(place) = place {
            return Some((place.registry.len(), format!("{}{}", self.base, place.path)));
        }
        let rest = url.strip_prefix("https://")?;
        let end = rest.find(|c: char| !is_of_authority(c)).unwrap_or(rest.len());
        let authority = &rest[..end];
        let is_ended = rest[end..].is_empty() || rest[end..].starts_with(['/', '?', '#']);
        (is_ended && is_authority(authority))
            .then(|| ("https://".len() + end, format!("{}{FILES}{authority}", self.base)))
    }

    /// Returns a document in which each address that follows one of `marks` is the server's; borrowed where there is none. What
    /// is not replaced stays byte for byte.
    pub(crate) fn relinked<'a>(&self, document: &'a [u8], marks: &[&str]) -> Cow<'a, [u8]> {
        self.relinked_by(document, marks, |text| self.prefix(text))
    }

    /// Returns the same of a document that lies at `base`, whose addresses may be relative to it: on the server it lies elsewhere.
    pub(crate) fn relinked_from<'a>(
        &self,
        base: &ObjectUrl,
        document: &'a [u8],
        marks: &[&str],
    ) -> Cow<'a, [u8]> {
        self.relinked_by(document, marks, |text| self.prefix(text).or_else(|| self.relative(base, text)))
    }

    /// Returns how many bytes of a relative address to replace, and what by; its query and fragment stay.
    fn relative(&self, base: &ObjectUrl, text: &str) -> Option<(usize, String)> {
        let path = &text[..text.find(['"', '\'', '#', '?'])?];
        if path.is_empty() || path.starts_with("//") || path.contains([':', '&', '\\', '<']) {
            return None;
        }
        let joined = base.join(path).ok()?.object().to_string();
        let address = if self.base.is_empty() { joined } else { self.address(&joined)? };
        Some((path.len(), address))
    }

    fn relinked_by<'a>(
        &self,
        document: &'a [u8],
        marks: &[&str],
        replace: impl Fn(&str) -> Option<(usize, String)>,
    ) -> Cow<'a, [u8]> {
        let mut edits = Vec::new();
        for mark in marks {
            for at in Finder::new(mark).find_iter(document) {
                let start = at + mark.len();
                let end = document.len().min(start + URL_BYTES_MAX);
                let text = longest_text(&document[start..end]);
                if let Some((n_replaced, prefix)) = replace(text) {
                    edits.push((start, n_replaced, prefix));
                }
            }
        }
        if edits.is_empty() {
            return document.into();
        }
        edits.sort_unstable_by_key(|(start, ..)| *start);
        let n_more: usize = edits.iter().map(|(.., prefix)| prefix.len()).sum();
        let mut result = Vec::with_capacity(document.len() + n_more);
        let mut done = 0;
        for (start, n_replaced, prefix) in edits {
            result.extend_from_slice(&document[done..start]);
            result.extend_from_slice(prefix.as_bytes());
            done = start + n_replaced;
        }
        result.extend_from_slice(&document[done..]);
        result.into()
    }
}

/// Returns a document that is another one.
pub(crate) fn changed(document: Cow<'_, [u8]>) -> Option<Vec<u8>> {
    if let Cow::Owned(document) = document { Some(document) } else { None }
}

/// How much of an address is looked at: only its beginning changes.
const URL_BYTES_MAX: usize = 512;

/// Returns the beginning of some bytes that is text.
fn longest_text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

const fn is_of_authority(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':')
}

/// Returns whether a text is `host` or `host:port`, a name and no address: what is meant for the world has a name.
fn is_authority(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "443"));
    host.contains('.')
        && host.len() <= 253
        && host.bytes().any(|byte| byte.is_ascii_alphabetic())
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        Site::new(&ObjectUrl::parse("http://10.0.0.1:8080/team").unwrap())
    }

    #[test]
    fn what_lies_there_is_found_there() {
        let addresses = [
            (
                "https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz",
                "/npm/left-pad/-/left-pad-1.3.0.tgz",
            ),
            ("https://index.crates.io/se/rd/serde", "/cargo/se/rd/serde"),
            ("https://pypi.org/simple/six/", "/pypi/simple/six/"),
            ("https://repo.packagist.org/packages.json", "/composer/packages.json"),
            ("https://pypi.org/pypi/six/json", "/files/pypi.org/pypi/six/json"),
            ("https://a.example:8443/b?c=%2f", "/files/a.example:8443/b?c=%2f"),
        ];
        for (url, path) in addresses {
            assert_eq!(site().address(url), Some(format!("http://10.0.0.1:8080/team{path}")));
            assert_eq!(Site::target(path), Some(Target::At(url.to_owned())), "{path}");
        }
        assert_eq!(
            site().address("https://packagist.org/search.json?q=%query%").unwrap(),
            "http://10.0.0.1:8080/team/files/packagist.org/search.json?q=%query%"
        );
    }

    #[test]
    fn what_is_no_name_of_the_world_has_no_place() {
        for url in [
            "http://a.example/",
            "https://",
            "https://me@a.example/",
            "https://[::1]/",
            "https://localhost/",
            "/a",
            "https://a.example\"x",
        ] {
            assert_eq!(site().address(url), None, "{url}");
        }
        for path in [
            "/",
            "/files/",
            "/files/localhost/x",
            "/files/127.0.0.1/x",
            "/files/me@a.example/",
            "/files/[::1]/",
            "/files/a.example:0/",
            "/npm",
            "/other/x",
            "/files/a.example%2f/x",
        ] {
            assert_eq!(Site::target(path), None, "{path}");
        }
    }

    #[test]
    fn a_host_of_the_world_has_a_name() {
        assert!(Site::can_be_host("registry.npmjs.org") && Site::can_be_host("_a.example"));
        for host in
            ["", "localhost", "127.0.0.1", "[::1]", "::1", "a.example:443", "a.example/x", "me@a.example"]
        {
            assert!(!Site::can_be_host(host), "{host}");
        }
    }

    #[test]
    fn what_lies_elsewhere_than_it_did_has_no_relative_addresses() {
        let base = ObjectUrl::parse("https://a.example/repo/simple/six/").unwrap();
        let page = r#"<a href="../../files/six.whl#sha256=1">, <a href="/six.zip">, <a href="https://b.example/x">, <a href="?a">"#;
        let linked = |site: &Site| {
            let bytes = site.relinked_from(&base, page.as_bytes(), &["href=\""]).into_owned();
            String::from_utf8(bytes).unwrap()
        };
        let on = |prefix: &str, other: &str| {
            format!(
                r#"<a href="{prefix}a.example/repo/files/six.whl#sha256=1">, <a href="{prefix}a.example/six.zip">, <a href="{other}b.example/x">, <a href="?a">"#
            )
        };
        let server = "http://10.0.0.1:8080/team/files/";
        assert_eq!(linked(&site()), on(server, server));
        assert_eq!(linked(&Site::of_world()), on("https://", "https://"));
    }

    #[test]
    fn addresses_change_and_nothing_else() {
        let relinked = |document: &str| {
            let bytes = site().relinked(document.as_bytes(), &["\"u\":\"", "\"u\": \""]).into_owned();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(
            relinked(
                r#"{"u":"https://a.example/x?y#z","v":"https://a.example/","u": "https://registry.npmjs.org/q" }"#
            ),
            r#"{"u":"http://10.0.0.1:8080/team/files/a.example/x?y#z","v":"https://a.example/","u": "http://10.0.0.1:8080/team/npm/q" }"#
        );
        for same in [
            r#"{"u":"#,
            r#"{"u":""#,
            r#"{"u":"http://a.example/"}"#,
            "",
            "{\"u\":\"https://a.example\u{e9}\"}",
        ] {
            assert_eq!(relinked(same), same);
        }
        assert!(matches!(site().relinked(b"\"u\":\"\xff", &["\"u\":\""]), Cow::Borrowed(_)));
    }
}
