//! uv 0.13: PIP_* and REQUESTS_* are ignored.

use super::{Client, PLAIN};

pub(super) const CLIENT: Client = Client { name: "uv", bundle: &["SSL_CERT_FILE"], ..PLAIN };
