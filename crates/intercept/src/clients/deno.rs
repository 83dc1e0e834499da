//! deno 2.9: SSL_CERT_FILE counts only with `DENO_TLS_CA_STORE=system`.

use super::{Client, PLAIN};

pub(super) const CLIENT: Client = Client { name: "deno", extra: &["DENO_CERT"], ..PLAIN };
