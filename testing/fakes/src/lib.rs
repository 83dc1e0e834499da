//! Loopback upstreams for tests: any host name, over TLS and plain HTTP, with packages real clients can install,
//! with faults played on request, and with a log of every request as the oracle.
//!
//! ```
//! use fakes::{Fault, Upstream, composer, npm, pypi};
//!
//! // Without a runtime; `Upstream::start().await` with one. It listens on two ports of loopback and ends when dropped.
//! let upstream = Upstream::start_blocking();
//!
//! // What there is. Serving a package of the same name again replaces what is listed of it.
//! upstream.serve_npm("registry.npmjs.org", &[npm::package("left-pad", &[("1.0.0", &[])])]);
//! let demo = pypi::project("demo").release("1.0", &[]).release("1.1", &["other>=2"]);
//! upstream.serve_pypi(std::slice::from_ref(&demo));
//! let library = composer::plain(folder, "acme", 1).remove(0);
//! upstream.serve_composer(std::slice::from_ref(&library));
//!
//! // How a real client gets there: a proxy address and a CA, and files that nobody else made.
//! let (proxy, ca) = (upstream.proxy_url(), upstream.ca_file(folder));
//! let project = composer::project("acme/project").requires(&library, "1.0.0");
//! let (manifest, lock) = (project.manifest(), project.lock());
//!
//! // What becomes of it.
//! let before = upstream.keep();
//! upstream.serve_pypi(&[demo.clone().republished("1.1").yanked("1.0", "broken")]);
//! upstream.serve_composer(&[library.clone().moved("1.0.0", &json!({}), &[("a.php", "<?php // other")])]);
//! upstream.remove_composer(&library);
//! upstream.restore(&before);
//!
//! // How it fails: per host and path, until `clear_faults`, or for so many requests; the last planned wins.
//! upstream.on("codeload.github.com", "*", Fault::Hang);
//! upstream.on_first(1, "files.pythonhosted.org", "/packages/*", Fault::CutAt { percent: 40 });
//! upstream.on("pypi.org", "/simple/demo/", Fault::AsOf(before));
//! upstream.ignore_ranges("files.pythonhosted.org");
//! upstream.set_latency(Duration::from_millis(20));
//!
//! // What it was asked, failed requests included.
//! for seen in upstream.log() {
//!     println!("{} {} {} {:?}", seen.connection, seen.host, seen.path, seen.headers.get("range"));
//! }
//! assert_eq!(upstream.n_asked("pypi.org", "/simple/demo/"), 0);
//! ```
//!
//! | upstream | put by | changes |
//! |---|---|---|
//! | anything | `put`, `handle`, `remove`, `serve_signed` | |
//! | npm | `serve_npm`, `remove_npm` | `npm::Package`: `version`, `without`, `republished` |
//! | Cargo | `serve_cargo` | `cargo::Crate`: `yanked`, `lib` |
//! | PyPI | `serve_pypi`, `remove_pypi` | `pypi::Project`: `release`, `yanked`, `without_metadata`, `republished`, `without`, `with_serial` |
//! | Packagist, GitHub | `serve_composer`, `remove_composer`, `empty_composer`, `remove_github`, `serve_release`, `expire_signatures` | `composer::Package`: `release`, `also_tagged`, `moved`, `without`, `repacked`, `forged`, `without_dist`, `with_shasum`, `advised`, `flagged`, `behind_signatures` |
//! | satis, providers | `serve_satis`, `serve_providers` | the same packages |
//! | git | `serve_git`, `serve_git_with` (faults at one step of the protocol) | `git::Repository`: `commit`, `grow` (from a seed), `tag`, `pack`, `copy_to` |
//!
//! `composer::samples` has one package of each kind that has broken mirrors before; `composer::big` has 30 MB.
//! Beside upstreams, `damage::survives` feeds a parser with damaged documents, from a seed.
//! A certificate is for a host as a whole: its faults are planned with `*`. HTTP/2 is offered unless `speak_http1` says
//! otherwise, and resets a stream where HTTP/1 would close a connection early.
#![expect(
    clippy::disallowed_methods,
    reason = "a fake is the outside world: it reads the clock and starts `git` as an upstream would"
)]

mod answer;
mod archive;
pub mod cargo;
mod certificate;
pub mod composer;
mod connection;
pub mod damage;
mod fault;
pub mod git;
mod http1;
mod http2;
pub mod npm;
mod play;
pub mod pypi;
mod query;
mod site;
mod upstream;

pub use answer::{Answer, Asked, noise};
pub use archive::{tar_gz, zip};
pub use fault::Fault;
pub use site::{Generation, Seen};
pub use upstream::Upstream;
