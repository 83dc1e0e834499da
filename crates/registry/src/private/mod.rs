//! A company's own registries, and the names that are asked for there and nowhere else. Pure.
//!
//! Whoever publishes under a private name at a public registry must never be asked for it, and the public registry must not even
//! hear the name: that is what is decided here, before anybody is asked.

mod names;
mod told;

use std::sync::Arc;

use model::ObjectUrl;

use crate::class::{Class, Head, IndexRequest};
use crate::coordinate::{ANY_REGISTRY, Coordinate};
use crate::ecosystem::Ecosystem;

pub use names::PrivateNames;

/// What an address of a public registry is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The package, in the spelling in which names are compared.
    pub name: String,
    /// Where under the address of another registry the same lies; nothing where others have no such thing.
    pub within: Option<String>,
}

/// A name, or the beginning of names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// In the spelling in which names are compared.
    text: String,
    is_beginning: bool,
}

/// One registry of a company.
#[derive(Debug, Clone)]
pub struct PrivateRegistry {
    ecosystem: &'static dyn Ecosystem,
    url: ObjectUrl,
    patterns: Vec<Pattern>,
}

/// Why something is no private registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRegistry {
    /// Its ecosystem has no names that another registry could have as well.
    #[error("`{ecosystem}` has no names that are asked for at one registry or another")]
    Ecosystem {
        /// The ecosystem.
        ecosystem: String,
    },
    /// Its address is none under which packages could lie.
    #[error("`{url}` is no address of a registry")]
    Url {
        /// The address.
        url: String,
    },
    /// No package can have such a name.
    #[error("`{pattern}` fits no name of a package")]
    Pattern {
        /// The pattern.
        pattern: String,
    },
    /// It is not decided which of two registries has a name.
    #[error("`{pattern}` is a name of `{url}` already")]
    Twice {
        /// The pattern.
        pattern: String,
        /// The registry that has it.
        url: ObjectUrl,
    },
}

/// Where something is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// Where its address says.
    Public,
    /// At a registry of the company.
    Private(ObjectUrl),
    /// Nowhere: its name is a company's, and the company's registry has no such thing.
    Nowhere {
        /// The package.
        name: String,
        /// The company's registry.
        registry: ObjectUrl,
    },
}

impl Pattern {
    /// Reads `@acme/*` or `left-pad`.
    fn parse(ecosystem: &dyn Ecosystem, text: &str) -> Option<Self> {
        let (beginning, is_beginning) = match text.strip_suffix('*') {
            Some(beginning) => (beginning, true),
            None => (text, false),
        };
        let ends: &[&str] = if is_beginning { &["x", "x/x"] } else { &[""] };
        let fits = ends.iter().any(|end| ecosystem.is_name(&format!("{beginning}{end}")));
        fits.then(|| Self { text: ecosystem.folded(beginning), is_beginning })
    }

    fn fits(&self, name: &str) -> bool {
        if self.is_beginning { name.starts_with(&self.text) } else { name == self.text }
    }

    /// Orders those that fit the same name: the one that says more of it comes last.
    const fn precision(&self) -> (usize, bool) {
        (self.text.len(), !self.is_beginning)
    }
}

impl PrivateRegistry {
    /// Describes a registry; `url` is what its clients have in their settings.
    ///
    /// # Errors
    /// `Ecosystem` and `Url`.
    pub fn new(ecosystem: &'static dyn Ecosystem, url: &str) -> Result<Self, BadRegistry> {
        let name = ecosystem.name().to_owned();
        let place = ecosystem.place().filter(|_| ecosystem.is_name("a") || ecosystem.is_name("a/a"));
        let place = place.ok_or(BadRegistry::Ecosystem { ecosystem: name })?;
        let bad = || BadRegistry::Url { url: url.to_owned() };
        let url = ObjectUrl::parse(&format!("{}/", url.trim_end_matches('/'))).map_err(|_| bad())?;
        // Clients find an index by the end of its address, where the public one has a path as well.
        let end = place.registry.strip_prefix("https://").and_then(|rest| rest.split_once('/'));
        let ends_as_it_must = end.is_none_or(|(_, end)| url.path().ends_with(end));
        let is_plain = !url.path_and_query().contains('?') && url.scheme() == "https";
        if !is_plain || !ends_as_it_must || url.as_str().starts_with(place.registry) {
            return Err(bad());
        }
        Ok(Self { ecosystem, url, patterns: Vec::new() })
    }

    /// Returns its address, with a slash at its end.
    pub const fn url(&self) -> &ObjectUrl {
        &self.url
    }

    /// Returns the canonical name that coordinates have of it.
    fn canonical(&self) -> String {
        format!("{}{}", self.url.authority(), self.url.path().trim_end_matches('/'))
    }

    fn precision(&self, name: &str) -> Option<(usize, bool)> {
        self.patterns.iter().filter(|pattern| pattern.fits(name)).map(Pattern::precision).max()
    }
}

/// All registries of a company; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct PrivateRegistries(Arc<Vec<PrivateRegistry>>);

impl PrivateRegistries {
    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the address of each.
    pub fn urls(&self) -> impl Iterator<Item = &ObjectUrl> + Clone {
        self.0.iter().map(PrivateRegistry::url)
    }

    /// Adds a registry, which has no names yet.
    pub fn add(&mut self, registry: PrivateRegistry) {
        Arc::make_mut(&mut self.0).push(registry);
    }

    /// Gives a name, or all that begin as a pattern does, to the registry that was added last.
    ///
    /// # Errors
    /// `Pattern`, and `Twice` where another registry has the very same.
    pub fn name(&mut self, pattern: &str) -> Result<(), BadRegistry> {
        let Some(last) = self.0.last() else { return Ok(()) };
        let ecosystem = last.ecosystem;
        let parsed = Pattern::parse(ecosystem, pattern)
            .ok_or_else(|| BadRegistry::Pattern { pattern: pattern.to_owned() })?;
        let same = self.0.iter().filter(|other| other.ecosystem.name() == ecosystem.name());
        if let Some(other) = same.into_iter().find(|other| other.patterns.contains(&parsed)) {
            return Err(BadRegistry::Twice { pattern: pattern.to_owned(), url: other.url.clone() });
        }
        if let Some(last) = Arc::make_mut(&mut self.0).last_mut() {
            last.patterns.push(parsed);
        }
        Ok(())
    }

    /// Returns where what lies at an address is asked for.
    pub fn place(&self, url: &ObjectUrl) -> Placed {
        match self.lies(url) {
            Placed::Public => self.asked_about(url).unwrap_or(Placed::Public),
            elsewhere => elsewhere,
        }
    }

    fn lies(&self, url: &ObjectUrl) -> Placed {
        for registry in self.0.iter() {
            let Some(about) = registry.ecosystem.about(url) else { continue };
            let Some(owner) = self.owner(registry.ecosystem, &about.name) else { return Placed::Public };
            let at = |within: String| ObjectUrl::parse(&format!("{}{within}", owner.url)).ok();
            return match about.within.and_then(at) {
                Some(url) => Placed::Private(url),
                None => Placed::Nowhere { name: about.name, registry: owner.url.clone() },
            };
        }
        Placed::Public
    }

    /// Returns the registry that alone is asked for a package.
    fn owner(&self, ecosystem: &dyn Ecosystem, name: &str) -> Option<&PrivateRegistry> {
        let name = ecosystem.folded(name);
        let of_it = self.0.iter().filter(|registry| registry.ecosystem.name() == ecosystem.name());
        let fitting = of_it.filter_map(|registry| Some((registry.precision(&name)?, registry)));
        fitting.max_by_key(|(precision, _)| *precision).map(|(_, registry)| registry)
    }

    /// Returns the registry under which an address lies, and the rest of the address, if it is about a package that this
    /// registry alone is asked for.
    fn within<'a>(&self, url: &'a str) -> Option<(&PrivateRegistry, &'a str)> {
        self.0.iter().find_map(|registry| {
            let rest = url.strip_prefix(registry.url.as_str())?;
            let public = format!("{}{rest}", registry.ecosystem.place()?.registry);
            let about = registry.ecosystem.about(&ObjectUrl::parse(&public).ok()?)?;
            let owner = self.owner(registry.ecosystem, &about.name)?;
            (owner.url == registry.url).then_some((registry, rest))
        })
    }

    /// Returns whether what lies at an address is a registry's, of a package that this registry alone is asked for.
    pub fn has(&self, url: &ObjectUrl) -> bool {
        self.within(url.as_str()).is_some()
    }

    /// Returns how many bytes of an address stand for a registry, and where a server offers what lies there.
    pub(crate) fn prefix(&self, url: &str) -> Option<(usize, &'static str)> {
        let (registry, _) = self.within(url)?;
        Some((registry.url.as_str().len(), registry.ecosystem.place()?.path))
    }

    /// Returns what a request at one of the registries wants, whoever asks: its own clients are not the only ones.
    pub fn classify(&self, head: &Head<'_>) -> Option<(&'static dyn Ecosystem, Class)> {
        let (registry, _) = self.within(head.url.as_str()).filter(|_| head.is_read())?;
        let mut headers = head.headers.clone();
        for (name, value) in registry.ecosystem.client() {
            let name = http::HeaderName::from_static(name);
            // Its user agent says whose it is; what else it says, the client may have said better.
            if name == http::header::USER_AGENT || !headers.contains_key(&name) {
                headers.insert(name, http::HeaderValue::from_static(value));
            }
        }
        let class = registry.ecosystem.classify(&Head { headers: &headers, ..*head })?;
        Some((registry.ecosystem, class))
    }

    /// Returns a file as the registry that has it names it, and its indexes there.
    pub fn named(
        &self,
        coordinate: Coordinate,
        indexes: Vec<IndexRequest>,
    ) -> (Coordinate, Vec<IndexRequest>) {
        let Some(ecosystem) = crate::ecosystem::ecosystem(coordinate.ecosystem) else {
            return (coordinate, indexes);
        };
        let Some(owner) = self.owner(ecosystem, &coordinate.name) else { return (coordinate, indexes) };
        let at_owner = |index: IndexRequest| match self.place(&index.url) {
            Placed::Private(url) => Some(IndexRequest { url, ..index }),
            Placed::Public | Placed::Nowhere { .. } => None,
        };
        let indexes = indexes.into_iter().filter_map(at_owner).collect();
        (Coordinate { registry: owner.canonical(), ..coordinate }, indexes)
    }

    /// Returns a pinned file by what its own registry has of it, whatever registry a lock says: that of a private name is
    /// decided here. `None` where the name is not private.
    pub fn of_any(&self, coordinate: &Coordinate) -> Option<Coordinate> {
        let ecosystem = crate::ecosystem::ecosystem(coordinate.ecosystem)?;
        self.owner(ecosystem, &coordinate.name)?;
        Some(Coordinate { registry: ANY_REGISTRY.to_owned(), ..coordinate.clone() })
    }
}

#[cfg(test)]
mod tests;
