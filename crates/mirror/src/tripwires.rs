//! What a person wants to be asked about before a copy follows, and for which repositories.

use model::{RefName, RepoId};

/// What a copy does not follow by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tripwires {
    /// How many refs may be destroyed within an hour without anybody being asked.
    pub n_destroyed_max: u64,
    /// The share of all refs above which more than one asks.
    pub percent_destroyed_max: u64,
    /// Branches that are never rewound, replaced or deleted without anybody being asked, besides the default one: names, or the beginning
    /// of names followed by `*`.
    pub protected: Vec<String>,
    /// The share of its files that such a branch may lose in one move, however it moves.
    pub percent_shrunk_max: u64,
}

impl Default for Tripwires {
    fn default() -> Self {
        let protected = ["main", "master", "trunk", "develop"].map(str::to_owned).to_vec();
        Self { n_destroyed_max: 3, percent_destroyed_max: 10, protected, percent_shrunk_max: 90 }
    }
}

impl Tripwires {
    /// Returns whether a branch is one of the protected ones by its name.
    pub(crate) fn protect(&self, name: &RefName) -> bool {
        name.branch().is_some_and(|name| self.protected.iter().any(|it| is_named(it, name)))
    }
}

/// Tripwires of all repositories: the first that name one are its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllTripwires(Vec<(Vec<String>, Tripwires)>);

impl AllTripwires {
    /// Adds those of repositories: names, or the beginning of names followed by `*`.
    pub fn add(&mut self, repositories: Vec<String>, tripwires: Tripwires) {
        self.0.push((repositories, tripwires));
    }

    /// Returns those of a repository.
    pub fn of(&self, repo: &RepoId) -> Tripwires {
        let own = self.0.iter().find(|(patterns, _)| patterns.iter().any(|it| is_named(it, repo.as_str())));
        own.map(|(_, tripwires)| tripwires.clone()).unwrap_or_default()
    }
}

/// Returns whether a name is the one of a pattern, or begins as one does that ends with `*`.
pub(crate) fn is_named(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_name_a_repository_are_its_own() {
        let of = |n_destroyed_max| Tripwires { n_destroyed_max, ..Tripwires::default() };
        let mut all = AllTripwires::default();
        all.add(vec!["forge.example/acme/app".to_owned()], of(0));
        all.add(vec!["forge.example/acme/*".to_owned()], of(50));
        let n = |name: &str| all.of(&RepoId::from_name(name).unwrap()).n_destroyed_max;
        assert_eq!(n("forge.example/acme/app"), 0);
        assert_eq!(n("forge.example/acme/app2"), 50);
        assert_eq!(n("forge.example/other/app"), 3);
    }
}
