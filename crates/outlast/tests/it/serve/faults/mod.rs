//! How an upstream may fail, one row after another, at the doors of a server: what the client saw, what is held afterwards, and how
//! often the upstream was asked. The same rows through a room are in `crate::rows`.

mod crowd;
mod days;
mod disk;
mod ends;
mod files;
mod indexes;
mod large;
mod scene;
mod waits;
