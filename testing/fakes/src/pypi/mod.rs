//! Python projects that a real pip, uv and Poetry install, listed as PyPI lists them.
//!
//! A project is a value: methods such as `release`, `yanked` or `republished` return what it has become, each with a higher
//! serial, and `Upstream::serve_pypi` puts that. Files served before stay, as PyPI keeps the files of what it no longer lists.

mod build;
mod index;
mod project;
mod serve;

pub use project::{File, Project, project};
pub(crate) use serve::Listed;

/// The hosts of PyPI: its indexes, its files.
pub const HOSTS: [&str; 2] = ["pypi.org", "files.pythonhosted.org"];

/// Returns a name as indexes know it (PEP 503): lower case, with one hyphen for every run of `-`, `_` and `.`.
pub fn normalized(name: &str) -> String {
    let words = name.split(['-', '_', '.']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_form() {
        let check = |name: &str, expected: &str| assert_eq!(normalized(name), expected, "{name}");
        check("Demo", "demo");
        check("A.b_-C", "a-b-c");
        check("six", "six");
    }
}
