//! What is known to be wrong with versions of a package, in the two forms that Packagist gives it.

use serde_json::{Value, json};

/// A security advisory.
#[derive(Debug, Clone)]
pub struct Advisory {
    id: String,
    affected: String,
    title: String,
    cve: Option<String>,
}

/// Returns an advisory such as (`PKSA-1`, `>=1.0.0,<1.1.0`, `Reads foreign files`).
pub fn advisory(id: &str, affected: &str, title: &str) -> Advisory {
    Advisory { id: id.to_owned(), affected: affected.to_owned(), title: title.to_owned(), cve: None }
}

impl Advisory {
    /// Gives it a number such as CVE-2026-0001.
    #[must_use]
    pub fn cve(mut self, number: &str) -> Self {
        self.cve = Some(number.to_owned());
        self
    }

    /// Returns the form that stands in the package's document.
    pub(super) fn short(&self) -> Value {
        json!({ "advisoryId": self.id, "affectedVersions": self.affected })
    }

    /// Returns the form that the API gives.
    pub(super) fn long(&self, package: &str) -> Value {
        json!({
            "advisoryId": self.id,
            "packageName": package,
            "remoteId": format!("{package}/{}.yaml", self.id),
            "title": self.title,
            "link": format!("https://github.com/{package}/security/advisories/{}", self.id),
            "cve": self.cve,
            "affectedVersions": self.affected,
            "source": "FriendsOfPHP/security-advisories",
            "reportedAt": "2026-01-01 00:00:00",
            "composerRepository": "https://packagist.org",
            "severity": "high",
            "sources": [
                { "name": "FriendsOfPHP/security-advisories", "remoteId": format!("{package}/{}.yaml", self.id) },
            ],
        })
    }
}
