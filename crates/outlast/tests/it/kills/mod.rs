//! Nothing lost, nothing left behind: the binary is killed, interrupted, and runs out of disk.

mod full;
mod leave;
mod points;
mod random;
mod scene;
