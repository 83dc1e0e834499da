//! Digests of the same bytes by several algorithms, taken in one pass.

use model::{Algorithm, Digest};
use ring::digest::Context;

/// Digests under way.
#[derive(Default)]
pub(crate) struct Hashers(Vec<(Algorithm, Context)>);

impl Hashers {
    pub(crate) fn new(algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let begin = |algorithm: Algorithm| (algorithm, Context::new(algorithm.ring()));
        Self(algorithms.into_iter().map(begin).collect())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.iter_mut().for_each(|(_, context)| context.update(bytes));
    }

    /// Returns the digests in the order of the algorithms.
    pub(crate) fn finish(self) -> impl Iterator<Item = Digest> {
        // A finished hash has the length of its algorithm.
        self.0
            .into_iter()
            .filter_map(|(algorithm, context)| Digest::from_bytes(algorithm, context.finish().as_ref()).ok())
    }
}
