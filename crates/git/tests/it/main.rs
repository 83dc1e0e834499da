//! Git's own program beside what is done without it.
#![expect(clippy::disallowed_methods, reason = "tests run git as its users do")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod packs;
mod views;
