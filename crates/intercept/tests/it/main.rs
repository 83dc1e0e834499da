//! One connection through the public doors: served, refused, trusted by real clients.

mod clients;
mod refusal;
mod room;
mod serving;
