//! The only place that asks the machine for randomness.

use ring::rand::{SecureRandom, SystemRandom};

/// Returns `N` bytes nobody can guess.
///
/// # Panics
/// If the machine has no source of randomness; nothing that Outlast signs or names would be safe then.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the kernel gives randomness");
    bytes
}
