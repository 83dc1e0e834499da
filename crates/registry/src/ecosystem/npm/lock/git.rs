//! Which addresses are those of git repositories, in all the ways that npm, pnpm and Yarn write them.

use std::borrow::Cow;

use model::ObjectUrl;

use crate::ecosystem::FORGES;

/// What an address begins with that git is asked for.
const STARTS: [&str; 8] = ["git+", "git:", "git@", "ssh:", "github:", "gitlab:", "bitbucket:", "gist:"];

/// Short forms of addresses, and what they are short for (hosted-git-info 9, read 2026-11).
const SHORT: [(&str, &str); 4] = [
    ("github:", "https://github.com/"),
    ("gitlab:", "https://gitlab.com/"),
    ("bitbucket:", "https://bitbucket.org/"),
    ("gist:", "https://gist.github.com/"),
];

/// Returns whether an address is that of a git repository on another machine.
///
/// Archives of a commit, such as those of codeload.github.com, are files like any other. For addresses of HTTP the rules are
/// those of Yarn 1 (`git-resolver.js`, read 2026-11) with a few more forges, and the `#commit=` of Yarn 2 and later.
pub(super) fn is_repository(address: &str) -> bool {
    if STARTS.iter().any(|start| address.starts_with(start)) {
        return !address.starts_with("git+file:");
    }
    let Ok(url) = ObjectUrl::parse(address) else { return false };
    let fragment = address.split_once('#').map_or("", |(_, fragment)| fragment);
    url.path().ends_with(".git")
        || fragment.split('&').any(|part| part.starts_with("commit="))
        || (FORGES.contains(&url.host()) && url.path().trim_matches('/').split('/').count() == 2)
}

/// Returns an address as git takes it.
pub(super) fn address(address: &str) -> Cow<'_, str> {
    let long = SHORT.iter().find_map(|(short, long)| Some(format!("{long}{}", address.strip_prefix(short)?)));
    long.map_or(Cow::Borrowed(address), Cow::Owned)
}

/// Returns what an address says of the commit: `#0123`, or among several values `#commit=0123`.
pub(super) fn commit(address: &str) -> Option<&str> {
    let (_, fragment) = address.split_once('#')?;
    fragment.split('&').find_map(|part| part.strip_prefix("commit=")).or(Some(fragment))
}
