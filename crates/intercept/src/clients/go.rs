//! go 1.19 and every Go program that builds its own client.

use super::{Client, PLAIN};

pub(super) const CLIENT: Client = Client { name: "go", bundle: &["SSL_CERT_FILE"], ..PLAIN };
