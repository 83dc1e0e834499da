//! How an upstream may fail, one row after another, against the binary: what the client saw, what is held afterwards,
//! and how often the upstream was asked. With `--nocapture` they tell how long it took. docs/COMPARISON.md lists the rows beside what others do.

mod cargo;
mod clients;
mod composer;
mod crowd;
mod files;
mod indexes;
mod npm;
mod pypi;
mod scene;
mod waits;

pub(crate) use indexes::another;
pub(crate) use npm::large;
pub(crate) use scene::{Edition, Place, Shelf};

/// Makes what one registry has.
pub(crate) type Make = fn() -> Shelf;

/// Every registry, with what it has.
pub(crate) const SHELVES: [(&str, Make); 4] =
    [("npm", npm::shelf), ("PyPI", pypi::shelf), ("Cargo", cargo::shelf), ("Composer", composer::shelf)];

/// Plays a row on every registry.
pub(crate) fn each(row: fn(Make)) {
    for (registry, shelf) in SHELVES {
        tell(&format!("{registry}:"));
        row(shelf);
    }
}

/// Tells a figure to whoever runs these tests with `--nocapture`.
#[expect(clippy::print_stderr, reason = "tests speak to whoever runs them")]
pub(crate) fn tell(figure: &str) {
    eprintln!("{figure}");
}
