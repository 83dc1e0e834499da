//! Where a repository is.

use model::{Event, RepoId, RepoIdError, SafeUrl, UrlError};

/// The address of a repository that is asked over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    repo: RepoId,
    /// Without `/` at its end.
    url: String,
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
    #[error("only repositories at `https://` and `http://` addresses can be followed")]
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
        let repo = RepoId::parse(text)?;
        if !text.starts_with("https://") && !text.starts_with("http://") {
            return Err(AddressError::Protocol);
        }
        let authority = text.split('/').nth(2).unwrap_or_default();
        if authority.contains('@') {
            return Err(AddressError::Password);
        }
        let url = text.trim_end_matches('/').to_owned();
        SafeUrl::parse(&url)?;
        Ok(Self { repo, url })
    }

    /// Returns the address of a repository that the journal says is to be kept.
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

    /// Returns the address of one of the repository's services.
    pub(crate) fn join(&self, path: &str) -> Result<SafeUrl, UrlError> {
        SafeUrl::parse(&format!("{}/{path}", self.url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_for_http_and_without_secrets() {
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
        assert!(matches!(Address::parse("ssh://git@forge.example/a"), Err(AddressError::Protocol)));
        assert!(matches!(Address::parse("git@forge.example:a"), Err(AddressError::Protocol)));
        assert!(matches!(Address::parse("/srv/a.git"), Err(AddressError::Repo(_))));
    }
}
