//! A company's names, as a team's server tells them to the Outlast of a room: nobody else is to hear them there either.

use serde::{Deserialize, Serialize};

use super::{PrivateRegistries, PrivateRegistry};

/// More names than any company writes down.
const N_NAMES_MAX: usize = 10_000;

/// The names of one registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateNames {
    /// Whose names they are.
    pub ecosystem: String,
    /// The registry's address, as its clients have it in their settings.
    pub registry: String,
    /// Names, or beginnings of names with `*` behind them.
    pub names: Vec<String>,
}

impl PrivateRegistries {
    /// Returns what another Outlast is told.
    pub fn told(&self) -> Vec<PrivateNames> {
        let name = |pattern: &super::Pattern| {
            format!("{}{}", pattern.text, if pattern.is_beginning { "*" } else { "" })
        };
        let one = |registry: &PrivateRegistry| PrivateNames {
            ecosystem: registry.ecosystem.name().to_owned(),
            registry: registry.url.to_string(),
            names: registry.patterns.iter().map(name).collect(),
        };
        self.0.iter().map(one).collect()
    }

    /// Takes over what another Outlast tells; what cannot be a registry or a name here is left out.
    pub fn heard(told: &[PrivateNames]) -> Self {
        let mut heard = Self::default();
        let mut n_left = N_NAMES_MAX;
        for PrivateNames { ecosystem, registry, names } in told {
            let known = crate::ecosystem::ecosystem(ecosystem);
            let Some(registry) = known.and_then(|known| PrivateRegistry::new(known, registry).ok()) else {
                continue;
            };
            heard.add(registry);
            for name in names.iter().take(n_left) {
                // One that two registries have is a company's all the same.
                let _ = heard.name(name);
            }
            n_left = n_left.saturating_sub(names.len());
        }
        heard
    }
}

#[cfg(test)]
mod tests {
    use model::ObjectUrl;

    use super::*;
    use crate::private::Placed;

    #[test]
    fn what_is_told_is_heard() {
        let mut registries = PrivateRegistries::default();
        let npm = crate::ecosystem::ecosystem("npm").unwrap();
        registries.add(PrivateRegistry::new(npm, "https://npm.acme.example/").unwrap());
        for name in ["@acme/*", "secret-tool"] {
            registries.name(name).unwrap();
        }
        let mut told = registries.told();
        assert_eq!(told[0].names, ["@acme/*", "secret-tool"]);
        told.push(PrivateNames {
            ecosystem: "gems".to_owned(),
            registry: "https://gems.example/".to_owned(),
            names: vec!["a".to_owned()],
        });
        let text = serde_json::to_string(&told).unwrap();
        let heard = PrivateRegistries::heard(&serde_json::from_str::<Vec<_>>(&text).unwrap());
        let place = |path: &str| {
            heard.place(&ObjectUrl::parse(&format!("https://registry.npmjs.org/{path}")).unwrap())
        };
        for path in ["@acme%2flib", "@acme/lib", "secret-tool"] {
            assert!(matches!(place(path), Placed::Private(_)), "{path}");
        }
        assert_eq!(place("left-pad"), Placed::Public);
        assert_eq!(heard.told(), registries.told());
    }
}
