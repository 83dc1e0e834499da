//! Git repositories: one name for each, in whichever way its address is written.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Host;

/// The longest address that is read.
const ADDRESS_BYTES_MAX: usize = 2 * 1024;

/// Names a git repository on another machine: `forge.example/acme/app`, or `forge.example:2222/acme/app` where the port is not
/// the protocol's own.
///
/// The address's protocol, its user and the `.git` at its end are left out: with any of them a forge gives the same
/// repository. The path keeps its case, and its escapes as they are written: two that differ there may be two.
///
/// On a host that is no forge, `kim@host:app` and `lee@host:app` lie in two homes and have one name: who stores something under
/// it must know the address, too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoId(String);

/// Why an address names no repository on another machine. It may hold a password, and is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RepoIdError {
    /// Longer than any.
    #[error("address of a repository is longer than {ADDRESS_BYTES_MAX} bytes")]
    TooLong,
    /// A path, a protocol of files, or one that git does not have.
    #[error("address of a repository has no protocol that leads to another machine")]
    Protocol,
    /// No host, or none that could be one.
    #[error("address of a repository names no host")]
    Host,
    /// No path, or one that leads elsewhere: with empty parts, dots, a query.
    #[error("address of a repository names no path on its host")]
    Path,
}

impl RepoId {
    /// Reads an address as git takes it, `https://`, `http://`, `ssh://`, `git://` and `user@host:path`, each with or without the
    /// `git+` that other clients put before it. What such clients put behind it (`#commit`, `?branch=…`, `@tag`) is none of it.
    pub fn parse(address: &str) -> Result<Self, RepoIdError> {
        if address.len() > ADDRESS_BYTES_MAX {
            return Err(RepoIdError::TooLong);
        }
        let address = address.trim();
        let address = address.strip_prefix("git+").unwrap_or(address);
        match address.split_once("://") {
            Some((protocol, rest)) => {
                let protocol = Protocol::of(protocol).ok_or(RepoIdError::Protocol)?;
                let (authority, path) = rest.split_once('/').ok_or(RepoIdError::Path)?;
                let (host, port) = split_port(without_user(authority));
                match port.map(|port| (port, port.parse::<u16>())) {
                    None | Some(("", _)) => Self::of(host, None, path),
                    Some((_, Ok(port))) => Self::of(host, Some(port).filter(|it| *it != protocol.port), path),
                    // `ssh://git@host:acme/app`, which is wrong and common.
                    Some((part, Err(_))) if protocol.is_ssh => {
                        Self::of(host, None, &format!("{part}/{path}"))
                    }
                    Some(_) => Err(RepoIdError::Host),
                }
            }
            // Without a user it could be a path, a drive of Windows, or a shorthand of npm's.
            None => {
                let (user, rest) = address.split_once('@').ok_or(RepoIdError::Protocol)?;
                if user.is_empty() || user.contains(['/', ':']) {
                    return Err(RepoIdError::Protocol);
                }
                let (host, path) = match rest.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
                    Some((host, path)) => (&rest[..host.len() + 2], path),
                    None => rest.split_once(':').ok_or(RepoIdError::Path)?,
                };
                Self::of(host, None, path)
            }
        }
    }

    /// Reads a name as [`RepoId::as_str`] gives it.
    pub fn from_name(name: &str) -> Result<Self, RepoIdError> {
        // A port that is one protocol's own is written out for another's.
        let read = |protocol: &str| Self::parse(&format!("{protocol}://{name}.git"));
        [read("https")?, read("ssh")?].into_iter().find(|id| id.0 == name).ok_or(RepoIdError::Path)
    }

    fn of(host: &str, port: Option<u16>, path: &str) -> Result<Self, RepoIdError> {
        let host = Host::parse(host).map_err(|_| RepoIdError::Host)?.to_string();
        if host.starts_with('-') || host.starts_with('.') {
            return Err(RepoIdError::Host);
        }
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        let leads_elsewhere =
            |part: &str| matches!(&*part.to_ascii_lowercase().replace("%2e", "."), "" | "." | "..");
        let is_odd = |letter: char| letter.is_control() || letter.is_whitespace() || "\\?#".contains(letter);
        if path.split('/').any(leads_elsewhere) || path.contains(is_odd) {
            return Err(RepoIdError::Path);
        }
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self(format!("{host}{port}/{path}")))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the subject under which the journal numbers what happens to it.
    pub fn subject(&self) -> String {
        format!("repo {self}")
    }

    /// Returns the host without its port, lower case; an IPv6 address keeps its brackets.
    pub fn host(&self) -> &str {
        split_port(self.0.split_once('/').map_or("", |(authority, _)| authority)).0
    }

    /// Returns the path, which neither begins nor ends with `/`.
    pub fn path(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, path)| path)
    }
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for RepoId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RepoId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_name(&text).map_err(serde::de::Error::custom)
    }
}

/// Names a commit: 40 hexadecimal digits of SHA-1, or 64 of SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(String);

impl CommitId {
    /// Reads a whole name; a beginning of one, a tag or a branch is none.
    pub fn parse(text: &str) -> Option<Self> {
        let is_one = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then(|| Self(text.to_ascii_lowercase()))
    }

    /// Returns the digits, lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A way to a repository on another machine.
struct Protocol {
    /// Its own port, which an address may name as well.
    port: u16,
    is_ssh: bool,
}

impl Protocol {
    fn of(name: &str) -> Option<Self> {
        let port = match &*name.to_ascii_lowercase() {
            "https" => 443,
            "http" => 80,
            "git" => 9418,
            "ssh" => return Some(Self { port: 22, is_ssh: true }),
            _ => return None,
        };
        Some(Self { port, is_ssh: false })
    }
}

fn without_user(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// Splits `host:port`; the colons of `[::1]` are its own.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_spelling_of_an_address_is_one_name() {
        let check = |address: &str, expected: &str| {
            assert_eq!(RepoId::parse(address).unwrap().as_str(), expected, "{address}");
        };
        for address in [
            "https://forge.example/acme/App.git",
            "HTTPS://kim:s@cret@Forge.Example:443/acme/App/",
            "http://forge.example:80/acme/App",
            "ssh://git@forge.example:22/acme/App.git\n",
            "git+ssh://git@forge.example/acme/App",
            "git+ssh://git@forge.example:acme/App.git",
            "git@forge.example:acme/App.git",
            "git+https://forge.example/acme/App.git/",
            "git+git@forge.example:acme/App",
            "git://forge.example:9418/acme/App",
        ] {
            check(address, "forge.example/acme/App");
        }
        check("ssh://git@forge.example:2222/a", "forge.example:2222/a");
        check("https://forge.example:22/a", "forge.example:22/a");
        check("https://[::1]:8443/~kim/a.git.git", "[::1]:8443/~kim/a.git");
        check("git@[::1]:a", "[::1]/a");
        check("https://bücher.example/a%20b", "xn--bcher-kva.example/a%20b");
        for name in ["forge.example:443/a", "forge.example:22/a", "[::1]/a.git"] {
            assert_eq!(RepoId::from_name(name).unwrap().as_str(), name);
        }
        assert!(RepoId::from_name("https://forge.example/a").is_err());
        assert!(
            RepoId::from_name("Forge.example/a").is_err()
                && RepoId::from_name("kim@forge.example/a").is_err()
        );
        let id = RepoId::parse("ssh://[::1]:2222/a/b").unwrap();
        assert_eq!((id.host(), id.path()), ("[::1]", "a/b"));
    }

    #[test]
    fn what_is_no_repository_elsewhere_is_refused_and_not_repeated() {
        let check = |address: &str, expected: RepoIdError| {
            assert_eq!(RepoId::parse(address), Err(expected), "{address}");
        };
        for local in [
            "",
            "a",
            "/srv/a.git",
            "../a",
            "file:///srv/a.git",
            "git+file:///a",
            "C:/a",
            "github:s/a",
            "ext::sh -c x",
        ] {
            check(local, RepoIdError::Protocol);
        }
        for host in [
            "https:///a",
            "https://:443/a",
            "ssh://-oProxyCommand=x/a",
            "git@-oProxyCommand=x:a",
            "https://h:port/a",
            "https://a b/c",
            "https://h:70000/a",
        ] {
            check(host, RepoIdError::Host);
        }
        for path in [
            "https://h",
            "https://h/",
            "https://h/.git",
            "https://h/a//b",
            "https://h/../a",
            "https://h/a/%2E./b",
            "git@h:",
            "https://h/a?b",
            "https://h/a#b",
            "https://h/a\\b",
            "https://h/a\u{1b}[m",
        ] {
            check(path, RepoIdError::Path);
        }
        check(&format!("https://h/{}", "a".repeat(ADDRESS_BYTES_MAX)), RepoIdError::TooLong);
    }

    #[test]
    fn two_repositories_never_have_one_name() {
        let seed = 7;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut known: BTreeMap<String, (String, Option<u16>, String)> = BTreeMap::new();
        for _ in 0..5000 {
            let pick =
                |random: &mut fastrand::Rng, from: &[&str]| from[random.usize(..from.len())].to_owned();
            let host = pick(&mut random, &["h.example", "g.example", "h.example.org", "10.0.0.1", "[::1]"]);
            let port = [None, Some(2222), Some(8443)][random.usize(..3)];
            let n_parts = random.usize(1..4);
            let parts: Vec<String> = (0..n_parts)
                .map(|_| {
                    pick(&mut random, &["a", "A", "b", "a.b", "git", "a.git.b", "~a", "%41", "ä", "2222"])
                })
                .collect();
            let path = parts.join("/");
            let written = port.map(|port| format!(":{port}")).unwrap_or_default();
            let shout = host.to_uppercase();
            let mut addresses: Vec<String> = ["https", "http", "ssh", "git", "git+https", "git+ssh"]
                .iter()
                .flat_map(|protocol| {
                    [
                        format!("{protocol}://{host}{written}/{path}"),
                        format!("{protocol}://kim@{shout}{written}/{path}.git/"),
                    ]
                })
                .collect();
            if port.is_none() {
                addresses.extend([format!("git@{host}:{path}"), format!("git@{shout}:/{path}.git")]);
            }
            let ids: Vec<RepoId> = addresses.iter().map(|address| RepoId::parse(address).unwrap()).collect();
            assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "seed {seed}: {addresses:?}");
            assert_eq!(RepoId::parse(&format!("https://{}.git", ids[0])).unwrap(), ids[0], "seed {seed}");
            assert_eq!(RepoId::from_name(ids[0].as_str()).unwrap(), ids[0], "seed {seed}");
            let repository = (host, port, path);
            let first = known.entry(ids[0].to_string()).or_insert_with(|| repository.clone());
            assert_eq!(*first, repository, "seed {seed}: two in one");
        }
        assert!(known.len() > 1000, "they differ");
    }

    #[test]
    fn only_a_whole_commit_is_one() {
        for digits in [40, 64] {
            assert_eq!(CommitId::parse(&"aB".repeat(digits / 2)).unwrap().as_str(), "ab".repeat(digits / 2));
        }
        for text in ["", "0123", "main", &"a".repeat(41), &"g".repeat(40)] {
            assert_eq!(CommitId::parse(text), None, "{text}");
        }
    }
}
