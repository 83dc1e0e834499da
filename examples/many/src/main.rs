//! Nothing: this project is there to be fetched, not to be built.

fn main() {}
