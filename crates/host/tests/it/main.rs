//! The way out, against a scripted upstream.

mod client;
mod proxies;
