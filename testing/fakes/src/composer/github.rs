//! GitHub as Composer and builds meet it: archives, sources, single files, the files of releases.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::package::Archives;
use super::{GITHUB_HOSTS, HOSTS, Package};
use crate::{Answer, Asked, Upstream};

/// Signatures handed out and not yet expired.
#[derive(Debug, Default)]
pub(crate) struct Signatures {
    issued: AtomicU64,
    expired: AtomicU64,
}

impl Signatures {
    fn sign(&self, url: &str) -> String {
        let n = self.issued.fetch_add(1, Ordering::SeqCst) + 1;
        format!("{url}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=300&X-Amz-Signature={n:032x}")
    }

    fn is_good(&self, path: &str) -> bool {
        let number = path.rsplit_once("X-Amz-Signature=").and_then(|(_, n)| u64::from_str_radix(n, 16).ok());
        number.is_some_and(|n| {
            n > self.expired.load(Ordering::SeqCst) && n <= self.issued.load(Ordering::SeqCst)
        })
    }

    pub(crate) fn expire(&self) {
        self.expired.store(self.issued.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

/// Returns what api.github.com says to whoever has asked too often.
pub fn rate_limited() -> Answer {
    Answer::json(
        "{\"message\":\"API rate limit exceeded\",\"documentation_url\":\"https://docs.github.com/rest\"}",
    )
    .with_status(403)
    .header("x-ratelimit-limit", "60")
    .header("x-ratelimit-remaining", "0")
    .header("x-ratelimit-reset", "1767229200")
}

impl Upstream {
    /// Redirects from an address to a signed one elsewhere, which answers until `expire_signatures`.
    pub fn serve_signed(&self, from: (&str, &str), to: (&str, &str), answer: Answer) {
        let signatures = self.signatures();
        let target = format!("https://{}{}", to.0, to.1);
        let (path, signer) = (from.1.to_owned(), signatures.clone());
        self.remove(from.0, from.1);
        self.handle(from.0, from.1, move |asked| {
            (asked.path == path).then(|| Answer::status(302).header("location", &signer.sign(&target)))
        });
        self.remove(to.0, to.1);
        self.handle(to.0, to.1, move |asked| Some(if_signed(&signatures, asked, &answer)));
    }

    /// Lets every signature handed out so far be refused from now on.
    pub fn expire_signatures(&self) {
        self.signatures().expire();
    }

    /// Puts a file of a release, `/REPOSITORY/releases/download/TAG/NAME`, behind a signed address.
    pub fn serve_release(&self, repository: &str, tag: &str, name: &str, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        let from = format!("/{repository}/releases/download/{tag}/{name}");
        let to = format!("/github-production-release-asset/{repository}/{tag}/{name}");
        let disposition = format!("attachment; filename={name}");
        let answer = crate::npm::tagged(Answer::file(bytes)).header("content-disposition", &disposition);
        self.serve_signed((GITHUB_HOSTS[0], &from), (GITHUB_HOSTS[1], &to), answer);
    }

    /// Takes a whole repository from GitHub: archives, sources and files are 404.
    pub fn remove_github(&self, package: &Package) {
        let name = package.name();
        for (reference, _) in package.archives() {
            for (host, path) in [
                (HOSTS[2], format!("/repos/{name}/zipball/{reference}")),
                (HOSTS[3], format!("/{name}/legacy.zip/{reference}")),
            ] {
                self.remove(host, &path);
                self.handle(host, &path, |_| None);
            }
        }
        self.handle(GITHUB_HOSTS[0], &format!("/{name}.git"), |_| None);
        self.handle(GITHUB_HOSTS[2], &format!("/{name}/"), |_| None);
    }

    pub(super) fn put_on_github(&self, package: &Package) {
        let name = package.name();
        for (reference, bytes) in package.archives() {
            let from = format!("/repos/{name}/zipball/{reference}");
            let to = format!("/{name}/legacy.zip/{reference}");
            let short = reference.rsplit('/').next().unwrap_or_default().chars().take(7).collect::<String>();
            let file = format!("attachment; filename={}-{short}.zip", name.replace('/', "-"));
            let answer = crate::npm::tagged(Answer::bytes("application/zip", bytes.clone()))
                .header("content-disposition", &file);
            match package.archives_lie() {
                Archives::InTheOpen => {
                    let target = format!("https://{}{to}", HOSTS[3]);
                    self.put(HOSTS[2], &from, Answer::status(302).header("location", &target));
                    self.put(HOSTS[3], &to, answer);
                }
                Archives::BehindSignatures => self.serve_signed((HOSTS[2], &from), (HOSTS[3], &to), answer),
            }
        }
        self.serve_git(GITHUB_HOSTS[0], &format!("/{name}.git"), package.repository());
        let (repository, prefix) = (package.repository().clone(), format!("/{name}/"));
        self.handle(GITHUB_HOSTS[2], &prefix.clone(), move |asked| {
            let path = asked.path.strip_prefix(&prefix)?;
            let path = path.strip_prefix("refs/heads/").or(path.strip_prefix("refs/tags/")).unwrap_or(path);
            let (revision, file) = path.split_once('/')?;
            Some(crate::npm::tagged(Answer::text(repository.file(revision, file)?)))
        });
    }
}

fn if_signed(signatures: &Arc<Signatures>, asked: &Asked, answer: &Answer) -> Answer {
    if signatures.is_good(&asked.path) {
        return answer.clone();
    }
    let text = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
    Answer::bytes("application/xml", text).with_status(403)
}
