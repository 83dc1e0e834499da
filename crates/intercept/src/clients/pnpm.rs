//! pnpm 12 (native binary): ignores `npm_config_cafile`.

use super::{Client, PLAIN};

pub(super) const CLIENT: Client =
    Client { name: "pnpm", bundle: &["SSL_CERT_FILE"], extra: &["NODE_EXTRA_CA_CERTS"], ..PLAIN };
