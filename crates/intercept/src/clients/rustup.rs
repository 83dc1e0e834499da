//! rustup 1.29.

use super::{Client, PLAIN};

pub(super) const CLIENT: Client = Client { name: "rustup", bundle: &["SSL_CERT_FILE"], ..PLAIN };
