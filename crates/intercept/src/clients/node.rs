//! Node 20 scripts (`fetch`, `https`): no proxy at all, so that an observed run misses them.

use super::{Client, PLAIN};

pub(super) const CLIENT: Client = Client { name: "node", extra: &["NODE_EXTRA_CA_CERTS"], ..PLAIN };
