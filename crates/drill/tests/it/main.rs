//! Drills from the outside: facts in, verdict, page and evidence out.

#![expect(clippy::unwrap_used, reason = "what the tests share may fail them as the tests may")]

mod evidence;
mod facts;
mod judge;
mod page;
mod readme;
