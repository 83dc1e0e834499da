//! bun 1.4.

use super::{Client, PLAIN};

pub(super) const CLIENT: Client =
    Client { name: "bun", bundle: &["SSL_CERT_FILE"], extra: &["NODE_EXTRA_CA_CERTS"], ..PLAIN };
