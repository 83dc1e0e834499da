//! Drills from the outside: facts in, verdict, page and evidence out.

mod evidence;
mod facts;
mod judge;
mod page;
mod readme;
