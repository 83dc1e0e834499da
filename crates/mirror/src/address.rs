//! Where a repository is.

use model::{Event, RepoId, RepoIdError, SafeUrl, UrlError};

/// The address of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    repo: RepoId,
    /// Without `/` at its end.
    url: String,
    way: Way,
}

/// How a repository is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By Outlast itself.
    Http,
    /// By git, as an account of another machine.
    Ssh,
    /// By git, as nobody.
    Plain,
}

/// Why an address is none that can be followed.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// It is no address of a repository.
    #[error(transparent)]
    Repo(#[from] RepoIdError),
    /// It is no address at all.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// It is asked in a way that is not known here.
    #[error("only `https://`, `http://`, `ssh://`, `git://`, `file://` and `user@host:path` are followed")]
    Protocol,
    /// It holds a password, which would be written down.
    #[error(
        "the address holds a user or a password; `credentials_file` of an [[upstream]] is the place for them"
    )]
    Password,
}

impl Address {
    /// Reads an address as a person gives it to git.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let url = text.trim_end_matches('/').to_owned();
        // On this machine: its name is that of the machine, for which there is but one.
        if let Some(path) = url.strip_prefix("file://").filter(|path| path.starts_with('/')) {
            let repo = RepoId::parse(&format!("ssh://localhost{path}"))?;
            return Ok(Self { repo, url, way: Way::Plain });
        }
        let repo = RepoId::parse(&url)?;
        let (protocol, authority) = match url.split_once("://") {
            Some((protocol, rest)) => (protocol, rest.split('/').next().unwrap_or_default()),
            // `user@host:path`, where the colon ends the host.
            None => ("ssh", url.rsplit_once(':').map_or(&*url, |(authority, _)| authority)),
        };
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        let way = match protocol {
            "https" | "http" => Way::Http,
            "ssh" => Way::Ssh,
            "git" => Way::Plain,
            _ => return Err(AddressError::Protocol),
        };
        // With ssh it is no secret, but the account that everybody uses.
        if user.is_some_and(|user| way != Way::Ssh || !is_plain(user)) {
            return Err(AddressError::Password);
        }
        if way == Way::Http {
            SafeUrl::parse(&url)?;
        }
        Ok(Self { repo, url, way })
    }

    /// Returns the address of a repository that the journal says is to be kept, or was.
    pub fn of(event: &Event) -> Option<Self> {
        match event {
            Event::Mirrored { address, .. } => Self::parse(address).ok(),
            _ => None,
        }
    }

    /// Returns the repository's name.
    pub const fn repo(&self) -> &RepoId {
        &self.repo
    }

    /// Returns the address.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Returns whether another address with the same name may be of the same repository. What a path means is a matter of the account
    /// where ssh is told no absolute one, so that two accounts have two repositories of one name.
    pub fn agrees_with(&self, other: &Self) -> bool {
        match (self.account(), other.account()) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        }
    }

    /// Returns who ssh is at the host.
    fn account(&self) -> Option<&str> {
        let rest = self.url.strip_prefix("ssh://").unwrap_or(&self.url);
        let user = rest.split('/').next().and_then(|rest| rest.split_once('@')).map_or("", |(user, _)| user);
        (self.way == Way::Ssh).then_some(user)
    }

    /// Returns whether Outlast asks there itself, rather than git.
    pub(crate) const fn is_http(&self) -> bool {
        matches!(self.way, Way::Http)
    }

    /// Returns the address of one of the repository's services.
    pub(crate) fn join(&self, path: &str) -> Result<SafeUrl, UrlError> {
        SafeUrl::parse(&format!("{}/{path}", self.url))
    }
}

/// Returns whether a user's name is one for every program.
fn is_plain(user: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !user.is_empty() && !user.starts_with('-') && user.bytes().all(is_good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_secrets_and_no_options() {
        let address = Address::parse(" https://forge.example/acme/app.git/\n").unwrap();
        assert_eq!(
            (address.repo().as_str(), address.as_str()),
            ("forge.example/acme/app", "https://forge.example/acme/app.git")
        );
        let url = address.join("info/refs?service=git-upload-pack").unwrap();
        assert_eq!(url.expose(), "https://forge.example/acme/app.git/info/refs?service=git-upload-pack");
        for text in ["https://kim:S3CRET@forge.example/a", "https://kim@forge.example/a"] {
            let error = Address::parse(text).unwrap_err();
            assert!(matches!(error, AddressError::Password) && !error.to_string().contains("S3CRET"));
        }
        for (text, name) in [
            ("ssh://git@forge.example/acme/app.git", "forge.example/acme/app"),
            ("ssh://git@forge.example:2222/acme/app", "forge.example:2222/acme/app"),
            ("git@forge.example:acme/app.git", "forge.example/acme/app"),
            ("git://forge.example/acme/app.git", "forge.example/acme/app"),
            ("file:///srv/git/app.git", "localhost/srv/git/app"),
        ] {
            let address = Address::parse(text).unwrap();
            assert!(address.repo().as_str() == name && !address.is_http(), "{address:?}");
        }
        for text in
            ["ssh://kim:S3CRET@forge.example/a", "ssh://-oX@forge.example/a", "git://kim@forge.example/a"]
        {
            let error = Address::parse(text).unwrap_err();
            assert!(
                matches!(error, AddressError::Password) && !error.to_string().contains("S3CRET"),
                "{text}"
            );
        }
        let agree = |one: &str, other: &str| {
            let (one, other) = (Address::parse(one).unwrap(), Address::parse(other).unwrap());
            assert_eq!(one.repo(), other.repo());
            one.agrees_with(&other)
        };
        assert!(agree("git@forge.example:acme/app.git", "ssh://git@forge.example/acme/app"));
        assert!(agree("git@forge.example:acme/app.git", "https://forge.example/acme/app.git"));
        assert!(!agree("kim@forge.example:app", "lee@forge.example:app"));
        assert!(!agree("ssh://kim@forge.example/app", "ssh://forge.example/app"));
        // The last would be no address any more as it is kept, without the slash.
        for text in ["file://@forge.example/a", "file://localhost/srv/a", "ssh://forge.example:a/"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        for text in
            ["ext::sh -c x", "ssh://-oX/a", "file:///srv/../etc/app.git", "file://forge.example", "-x@y"]
        {
            assert!(matches!(Address::parse(text), Err(AddressError::Repo(_))), "{text}");
        }
        assert!(matches!(Address::parse("/srv/a.git"), Err(AddressError::Repo(_))));
    }
}
