//! Addresses: one that is safe to show, and one that names an object.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::query;

/// The longest address that is accepted; the longest seen in real registries has under 1 KB.
const URL_BYTES_MAX: usize = 8 * 1024;

/// Names an object: scheme, host and path in one canonical spelling, without credentials, fragments and signatures.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ObjectUrl(String);

impl ObjectUrl {
    /// Reads an absolute `http` or `https` address.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.len() > URL_BYTES_MAX {
            return Err(UrlError::TooLong);
        }
        let mut url = Url::parse(text).map_err(|source| UrlError::Syntax { source })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(UrlError::Scheme);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(UrlError::Host);
        }
        url.set_fragment(None);
        // Both can only fail for an address without a host, and that was excluded above.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        if let Cow::Owned(path) = query::without_sessions(url.path()) {
            url.set_path(&path);
        }
        if let Some(query) = url.query() {
            let kept = query::without_secrets(query);
            url.set_query((!kept.is_empty()).then_some(&kept));
        }
        Ok(Self(url.into()))
    }

    /// Returns the canonical spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the scheme, `http` or `https`.
    pub fn scheme(&self) -> &str {
        self.0.split_once(':').map_or("", |(scheme, _)| scheme)
    }

    /// Returns the host without its port, lower case; an IPv6 address keeps its brackets.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        match authority.rfind(':') {
            Some(colon) if !authority.ends_with(']') => &authority[..colon],
            _ => authority,
        }
    }

    /// Returns the port, the scheme's own where none is written.
    pub fn port(&self) -> u16 {
        let default = if self.scheme() == "http" { 80 } else { 443 };
        self.authority()[self.host().len()..]
            .strip_prefix(':')
            .and_then(|port| port.parse().ok())
            .unwrap_or(default)
    }

    /// Returns `host` or `host:port`, as it is written in a Host header.
    pub fn authority(&self) -> &str {
        let rest = self.after_scheme();
        &rest[..rest.find(['/', '?']).unwrap_or(rest.len())]
    }

    /// Returns path and query, beginning with `/`.
    pub fn path_and_query(&self) -> &str {
        let rest = self.after_scheme();
        rest.find('/').map_or("/", |slash| &rest[slash..])
    }

    /// Returns the path without the query.
    pub fn path(&self) -> &str {
        let whole = self.path_and_query();
        whole.split_once('?').map_or(whole, |(path, _)| path)
    }

    /// Resolves a redirect's `Location` or an address in a document against this one.
    pub fn join(&self, reference: &str) -> Result<SafeUrl, UrlError> {
        let base = Url::parse(&self.0).map_err(|source| UrlError::Syntax { source })?;
        SafeUrl::parse(base.join(reference).map_err(|source| UrlError::Syntax { source })?.as_str())
    }

    fn after_scheme(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, rest)| rest)
    }
}

impl fmt::Display for ObjectUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ObjectUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for ObjectUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// An address to be asked, credentials and signatures included; printing it leaves those out.
#[derive(Clone, PartialEq, Eq)]
pub struct SafeUrl {
    whole: String,
    shown: ObjectUrl,
}

impl SafeUrl {
    /// Reads an absolute `http` or `https` address.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let shown = ObjectUrl::parse(text)?;
        let mut url = Url::parse(text).map_err(|source| UrlError::Syntax { source })?;
        url.set_fragment(None);
        Ok(Self { whole: url.into(), shown })
    }

    /// Returns the address as it is sent, secrets included.
    pub fn expose(&self) -> &str {
        &self.whole
    }

    /// Calls back with the name and the value of each credential in the address. That of a `token`, which the object's name
    /// tells apart, is empty.
    pub fn each_credential(&self, mut found: impl FnMut(&str, &str)) {
        // Most addresses have no user, no query and no session.
        if !self.whole.contains(['@', '?', ';']) {
            return;
        }
        let Ok(url) = Url::parse(&self.whole) else { return };
        if !url.username().is_empty() || url.password().is_some() {
            found("user", url.username());
            found("password", url.password().unwrap_or_default());
        }
        query::each_session(url.path(), &mut found);
        query::each_credential(url.query().unwrap_or_default(), found);
    }

    /// Returns the name of the object at this address.
    pub const fn object(&self) -> &ObjectUrl {
        &self.shown
    }
}

impl From<ObjectUrl> for SafeUrl {
    fn from(url: ObjectUrl) -> Self {
        Self { whole: url.0.clone(), shown: url }
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.shown, f)
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.shown, f)
    }
}

/// Why an address was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not an address at all.
    #[error("not an absolute address")]
    Syntax {
        /// The parser's reason.
        source: url::ParseError,
    },
    /// Neither `http` nor `https`.
    #[error("address is neither http nor https")]
    Scheme,
    /// No host.
    #[error("address has no host")]
    Host,
    /// Longer than 8 KB.
    #[error("address is longer than 8 KB")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_has_one_spelling() {
        let check = |text: &str, expected: &str| {
            assert_eq!(ObjectUrl::parse(text).unwrap().as_str(), expected);
        };
        check("HTTPS://Registry.NPMJS.org:443/left-pad#x", "https://registry.npmjs.org/left-pad");
        check("https://user:pw@example.com/a?b=1", "https://example.com/a?b=1");
        check("https://example.com", "https://example.com/");
        check("https://s3.example/f.zip?X-Amz-Signature=1&v=2&X-Amz-Date=3", "https://s3.example/f.zip?v=2");
        check("https://s3.example/f.zip?Signature=1", "https://s3.example/f.zip");
        check("https://blob.example/f?sv=1&se=2026&sig=x&v=2", "https://blob.example/f?v=2");
        check("https://example.com/search?se=1&sp=2", "https://example.com/search?se=1&sp=2");
        check("https://example.com/a/../b", "https://example.com/b");
        check("https://example.com/f?private_token=x&v=2&Access_Token=y", "https://example.com/f?v=2");
        let hidden = "https://example.com/f?page=2&token=sha256-688787d8ff144c50";
        check(
            "https://example.com/f?page=2&token=x",
            hidden.replace("688787d8ff144c50", "2d711642b726b044").as_str(),
        );
        check(hidden, hidden);
        check("https://example.com/f?token=&page=a", "https://example.com/f?token=&page=a");
        check("https://example.com/f?private%5Ftoken=x&v=2", "https://example.com/f?v=2");
        for name in [
            "refresh_token",
            "_authToken",
            "subscription-key",
            "auth[token]",
            "pin",
            "SID",
            "%74oken",
            "jwt",
            "private_token",
        ] {
            let url = ObjectUrl::parse(&format!("https://example.com/f?a=1;{name}=S3CRET")).unwrap();
            assert!(!url.as_str().contains("S3CRET") && url.as_str().contains("a=1;"), "{url}");
            assert_eq!(ObjectUrl::parse(url.as_str()), Ok(url), "it stays what it is");
        }
    }

    #[test]
    fn secrets_hide_in_more_than_names() {
        let shown = |text: &str| ObjectUrl::parse(text).unwrap().to_string();
        for query in ["pwd=S", "otp=S", "PassPhrase=S", "hmac=S", "pat=S"] {
            assert_eq!(shown(&format!("https://a.example/f?{query}&v=2")), "https://a.example/f?v=2");
        }
        for plain in ["inside=1", "path=a", "pattern=b", "url=https%3A%2F%2Fb.example%2F%3Fv%3D1", "next=/a"]
        {
            let url = format!("https://a.example/f?{plain}");
            assert_eq!(shown(&url), url);
        }
        for value in
            ["https://me:S@b.example/", "https%3A%2F%2Fme%3AS%40b.example", "http://b.example/?a=1%26token=S"]
        {
            let url = shown(&format!("https://a.example/f?to={value}&v=2"));
            assert!(!url.contains('S') && url.contains("to=sha256-") && url.ends_with("&v=2"), "{url}");
        }
        let session = "https://a.example/x;jsessionid=S/y;v=1;PHPSESSID=S?b=1";
        assert_eq!(shown(session), "https://a.example/x/y;v=1?b=1");
        let mut found = Vec::new();
        SafeUrl::parse(session).unwrap().each_credential(|name, value| found.push(format!("{name} {value}")));
        assert_eq!(found, ["jsessionid S", "PHPSESSID S"]);
    }

    #[test]
    fn the_parts_are_where_they_belong() {
        let url = ObjectUrl::parse("http://[2001:db8::1]:8080/a/b?c=d").unwrap();
        assert_eq!((url.host(), url.port()), ("[2001:db8::1]", 8080));
        assert_eq!((url.path(), url.path_and_query()), ("/a/b", "/a/b?c=d"));
        let plain = ObjectUrl::parse("https://example.com").unwrap();
        assert_eq!((plain.host(), plain.port(), plain.path()), ("example.com", 443, "/"));
    }

    #[test]
    fn a_secret_is_sent_but_never_shown() {
        let has = |text: &str| {
            let mut n_found = 0;
            SafeUrl::parse(text).unwrap().each_credential(|_, _| n_found += 1);
            n_found > 0
        };
        for text in ["https://me@a.example/", "https://a.example/?token=x", "https://a.example/?job_token=x"]
        {
            assert!(has(text), "{text}");
        }
        assert!(!has("https://a.example/?sig=x&token=") && !has("https://a.example/"));
        let url = SafeUrl::parse("https://me:hunter2@example.com/f?sig=abc&x=1").unwrap();
        assert!(url.expose().contains("hunter2") && url.expose().contains("sig=abc"));
        assert_eq!(format!("{url} {url:?}"), "https://example.com/f?x=1 https://example.com/f?x=1");
    }

    #[test]
    fn an_address_in_an_address_in_an_address_is_looked_into_as_deep_as_the_stack_allows() {
        let check = |n_deep: usize, expected: bool| {
            let text = format!("https://a.example/?{}k=v", "u=b://c?".repeat(n_deep));
            assert_eq!(ObjectUrl::parse(&text).unwrap().as_str() == text, expected, "{n_deep}");
        };
        check(0, true);
        check(8, true);
        check(9, false);
        check(1000, false);
        let secret = format!("https://a.example/?{}token=v", "u=b://c?".repeat(5));
        assert!(!ObjectUrl::parse(&secret).unwrap().as_str().contains("token=v"));
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for text in ["", "/a", "ftp://a/b", "https://", "data:text/plain,hi"] {
            assert!(ObjectUrl::parse(text).is_err(), "{text}");
        }
        assert_eq!(ObjectUrl::parse(&format!("https://a/{}", "b".repeat(9000))), Err(UrlError::TooLong));
    }
}
