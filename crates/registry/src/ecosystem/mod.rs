//! The list of ecosystems. A new one is a folder here and two lines in this file.

use std::collections::BTreeSet;
use std::fmt::Debug;

use http::StatusCode;
use model::{Digest, DigestSet, ObjectUrl};

use crate::cached::{Cached, Installed, Unpacked};
use crate::class::{Class, Head, IndexRequest};
use crate::coordinate::Coordinate;
use crate::index::{IndexError, IndexFacts, Worse, compare};
use crate::lock::Lock;
use crate::needs::Needs;
use crate::private::About;
use crate::revision::RevisionArchive;
use crate::site::{ClientSettings, Place, Site, Target};

mod apt;
mod cargo;
mod composer;
mod forge;
mod generic;
mod npm;
mod pypi;

pub use forge::HOSTS as FORGES;

/// Every ecosystem, in the order in which they are asked; the last one understands everything.
pub static ALL: &[&dyn Ecosystem] =
    &[&apt::Apt, &cargo::Cargo, &composer::Composer, &forge::Forge, &npm::Npm, &pypi::Pypi, GENERIC];

/// The last of [`ALL`].
pub(crate) static GENERIC: &dyn Ecosystem = &generic::Generic;

/// Returns the hosts of every public registry and forge.
pub fn public_hosts() -> impl Iterator<Item = &'static str> {
    ALL.iter().flat_map(|ecosystem| ecosystem.public_hosts()).copied()
}

/// One kind of package registry.
///
/// Everything is a pure function of its arguments. None of them may panic, whatever the bytes.
/// The conformance suite has one test for each sentence of the methods.
pub trait Ecosystem: Sync + Debug {
    /// Returns an index in the form that a request wants, with its media type, made from what another request for the same address
    /// got; nothing where it cannot be.
    fn in_form(&self, _request: &IndexRequest, _body: &[u8]) -> Option<(&'static str, Vec<u8>)> {
        None
    }

    /// Returns the hosts of its public registries, which are nobody's inside a company.
    fn public_hosts(&self) -> &'static [&'static str] {
        &[]
    }

    /// Returns the name: lower-case letters, the same for ever, and nobody else's.
    fn name(&self) -> &'static str;

    /// Returns what a request wants, `None` if it is not this ecosystem's.
    ///
    /// An ordinary web page is never claimed.
    /// An index has one canonical address: classifying that address gives the same request again.
    /// A HEAD is classified as the GET of the same address.
    /// A request that would change something is never anything but live.
    fn classify(&self, head: &Head<'_>) -> Option<Class>;

    /// Returns the headers by which its own client is told where the host tells nothing: its `user-agent` first. Empty where
    /// there is no such client.
    ///
    /// With them, the path of an index is one at any host, but for what only the public registry has.
    fn client(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Reads an index: it parses, and it is about what was asked for.
    ///
    /// The body has no content encoding left.
    /// An empty body, a web page, an empty object and a document about something else are errors.
    /// A body above `INDEX_BYTES_MAX` is an error.
    /// Every file it lists is of a version that it lists, and has a coordinate or an address.
    fn read_index(&self, request: &IndexRequest, body: &[u8]) -> Result<IndexFacts, IndexError>;

    /// Returns the lock files of this ecosystem; no other ecosystem has one of the same name.
    fn locks(&self) -> &'static [Lock];

    /// Returns what its clients ask for that install what a lock pins: nothing where no public registry has it.
    ///
    /// Each index is classified as one about this package, each file as the file of this coordinate.
    /// Whoever has locks and a place knows at least an index of each of its packages.
    fn needs(&self, _coordinate: &Coordinate) -> Needs {
        Needs::default()
    }

    /// Returns where a registry's own settings say that a file lies: an index that is about no package. Nothing where they do not
    /// say it.
    ///
    /// What comes out is classified as the file of this coordinate, at the public registry.
    fn placed(&self, _settings: &[u8], _coordinate: &Coordinate) -> Option<ObjectUrl> {
        None
    }

    /// Returns whether one answer is too little to believe that an index does not exist, because its clients take that for
    /// proved and leave their own caches aside.
    fn doubts_absence(&self, _request: &IndexRequest) -> bool {
        false
    }

    /// Returns whether files of this ecosystem may lie at addresses that say nothing about them, so that only a lock or an
    /// index knows which file an address gives.
    fn has_files_anywhere(&self) -> bool {
        false
    }

    /// Returns of which revision of which repository an address gives an archive, where it says that.
    ///
    /// Such an archive can be packed by anybody who has the repository; its bytes need not be the same.
    fn revision_archive(&self, _url: &ObjectUrl) -> Option<RevisionArchive> {
        None
    }

    /// Returns where else the same public registry has a file.
    ///
    /// Each place is classified as the same file.
    fn twins(&self, _url: &ObjectUrl) -> Vec<ObjectUrl> {
        Vec::new()
    }

    /// Returns the variant under which a file is kept at such an address, `None` where its coordinate does not tell the bytes.
    ///
    /// An ecosystem without such addresses has none.
    /// Coordinates of other bytes have other variants.
    fn variant_of(&self, _coordinate: &Coordinate) -> Option<String> {
        None
    }

    /// Returns the digest that the address of a file names, where addresses do that: nobody else has to vouch for its bytes.
    fn named_digest(&self, _url: &ObjectUrl) -> Option<Digest> {
        None
    }

    /// Returns the indexes that may say what a document is now, the likeliest first.
    ///
    /// Each document of an index is one of which that index is such a listing.
    fn listings(&self, _url: &ObjectUrl) -> Vec<IndexRequest> {
        Vec::new()
    }

    /// Returns the index whose generation decides which one of this index may be served, where documents go with it: itself, or
    /// what it signs.
    ///
    /// Only an index with a leader lists documents; the leader of a leader is itself.
    fn leader(&self, _request: &IndexRequest) -> Option<IndexRequest> {
        None
    }

    /// Returns how its clients are brought to take an index whose time is over, in words for a person.
    fn expiry_option(&self) -> Option<&'static str> {
        None
    }

    /// Returns in what a new index is worse than the one that is held, if it is.
    ///
    /// An index is never worse than itself, nor than nothing.
    fn judge(&self, previous: &IndexFacts, new: &IndexFacts) -> Option<Worse> {
        compare(previous, new)
    }

    /// Returns `new` with some versions as they stand in `held`, `None` where no such document can be made.
    ///
    /// What comes out reads as an index; these versions have the files they had in `held`, all others those of `new`.
    /// Bytes of other versions stay what they are in `new`.
    fn with_versions(
        &self,
        _request: &IndexRequest,
        _new: &[u8],
        _held: &[u8],
        _versions: &BTreeSet<&str>,
    ) -> Option<Vec<u8>> {
        None
    }

    /// Returns a document with a message that this ecosystem's clients show to the person before them, `None` where
    /// they would show none.
    ///
    /// What comes out reads as an index with the same files.
    fn with_message(&self, _url: &ObjectUrl, _body: &[u8], _message: &str) -> Option<Vec<u8>> {
        None
    }

    /// Returns where a server offers this ecosystem's public registry, `None` where it has none.
    ///
    /// No place is inside another, and both of its addresses end with a slash.
    fn place(&self) -> Option<Place> {
        None
    }

    /// Returns whether a package can have this name.
    ///
    /// Whoever knows a name says of an address which one it is about.
    fn is_name(&self, _name: &str) -> bool {
        false
    }

    /// Returns a name, or the beginning of one, in the spelling in which names are compared.
    ///
    /// Names that are one to a client are one here; folded twice, a name is what it was.
    fn folded(&self, name: &str) -> String {
        name.to_ascii_lowercase()
    }

    /// Returns which package an address of a public registry is about, nothing where it is about none.
    ///
    /// Each index of a package and each of its files is about this package.
    fn about(&self, _url: &ObjectUrl) -> Option<About> {
        None
    }

    /// Returns the settings that send its clients to a server.
    ///
    /// Whoever has a place has settings for it, and each names the server.
    fn settings(&self) -> &'static [ClientSettings] {
        &[]
    }

    /// Returns the settings that send through a server's forward proxy those of its clients whose locks name the registry itself.
    ///
    /// Each names the proxy, and `~/.outlast/bundle.pem`, in which its certificate stands beside the system's.
    fn proxy_settings(&self) -> &'static [ClientSettings] {
        &[]
    }

    /// Returns an index as a server offers it: what it links to lies on the server; `None` where nothing changes.
    ///
    /// What comes out reads as an index of the same versions, with the same digests.
    fn relinked(&self, _request: &IndexRequest, _body: &[u8], _site: &Site) -> Option<Vec<u8>> {
        None
    }

    /// Returns what a path of a server means that names a file of this ecosystem without saying where it lies.
    fn named(&self, _path: &str) -> Option<Target> {
        None
    }

    /// Returns what a path of a server means that names a git repository as only this ecosystem's clients do: `host/path.git/…`.
    fn repository(&self, _path: &str) -> Option<String> {
        None
    }

    /// Returns where its clients leave a file that they downloaded, the likeliest place first. What lies there is believed only
    /// where a digest says so, or where the place has the name of the address.
    ///
    /// No place is outside a client's own cache, whatever the coordinate.
    fn cached(&self, _coordinate: &Coordinate, _digests: &DigestSet, _urls: &[ObjectUrl]) -> Vec<Cached> {
        Vec::new()
    }

    /// Returns where its clients leave packages of which no archive can be had.
    fn unpacked(&self) -> &'static [Unpacked] {
        &[]
    }

    /// Returns where its client unpacks a package in a project, where the archive may be made again from that.
    ///
    /// No place is outside the project, whatever the coordinate.
    fn installed(&self, _coordinate: &Coordinate) -> Option<Installed> {
        None
    }

    /// Returns whether what its client wrote down says that this very version was installed.
    fn says_installed(&self, _manifest: &[u8], _coordinate: &Coordinate) -> bool {
        false
    }

    /// Returns whether bytes can be what an API answers to which its clients post: what clients cannot read, or would take for an
    /// all-clear, is none.
    fn is_answer(&self, _url: &ObjectUrl, body: &[u8]) -> bool {
        serde_json::from_slice::<&serde_json::value::RawValue>(body).is_ok()
    }

    /// Returns whether an index says itself that it has its end, where its connection does not.
    fn has_end(&self) -> bool {
        true
    }

    /// Returns whether its clients fall back to what they have themselves only where a document has a date.
    fn wants_date(&self) -> bool {
        false
    }

    /// Returns whether the version that an index lists is one that a client asks for in its own spelling.
    fn is_version(&self, listed: &str, asked: &str) -> bool {
        listed == asked
    }

    /// Returns the status with which a file is refused that somebody has blocked.
    fn blocked_status(&self) -> StatusCode {
        StatusCode::FORBIDDEN
    }

    /// Returns the fields of a refusal, besides those of every refusal, that this ecosystem's clients show.
    fn refusal_fields(&self, _message: &str) -> Vec<(&'static str, serde_json::Value)> {
        Vec::new()
    }

    /// Returns real addresses for tests and for `no_panic`.
    ///
    /// Each index is classified as one without any header and has its recorded document, each file is vouched for by
    /// one of these indexes.
    fn examples(&self) -> Examples;
}

/// Real addresses of an ecosystem.
#[derive(Debug, Clone, Copy)]
pub struct Examples {
    /// Addresses of indexes in their canonical spelling, each with its recorded document in `testdata/`.
    pub indexes: &'static [(&'static str, &'static str)],
    /// Addresses of files.
    pub files: &'static [&'static str],
}

/// Returns the ecosystem of a name, as a record or the journal has it.
pub fn ecosystem(name: &str) -> Option<&'static dyn Ecosystem> {
    ALL.iter().find(|ecosystem| ecosystem.name() == name).copied()
}
