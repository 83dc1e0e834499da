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

/// Tells a figure to whoever runs these tests with `--nocapture`.
#[expect(clippy::print_stderr, reason = "tests speak to whoever runs them")]
fn tell(figure: &str) {
    eprintln!("{figure}");
}
