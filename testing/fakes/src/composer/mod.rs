//! Composer packages that a real Composer installs: made from small git repositories with fixed dates, listed as Packagist
//! lists them, archived as GitHub archives them.
//!
//! A package is a value: methods such as `release`, `moved` or `repacked` return what it has become, and
//! `Upstream::serve_composer` puts that. What was served before stays, as a forge keeps the commits of a moved tag.

mod advisory;
mod github;
mod listing;
mod lock;
mod md5;
mod package;
mod packagist;
mod sample;
mod satis;

pub use advisory::{Advisory, advisory};
pub(crate) use github::Signatures;
pub use github::rate_limited;
pub use listing::{Branches, root};
pub use lock::{Project, project};
pub use package::{Package, package};
pub(crate) use packagist::Listed;
pub use sample::{big, plain, plugin, samples};

/// The hosts that a Composer of everyday life talks to.
pub const HOSTS: [&str; 4] = ["repo.packagist.org", "packagist.org", "api.github.com", "codeload.github.com"];

/// The hosts of GitHub besides: sources and releases, the files of releases, single files.
pub const GITHUB_HOSTS: [&str; 3] =
    ["github.com", "objects.githubusercontent.com", "raw.githubusercontent.com"];
