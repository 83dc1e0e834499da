//! Python scripts: requests, urllib, http.client. The last knows no proxy, so that an observed run misses it.

use super::{Client, PLAIN};

pub(super) const CLIENT: Client =
    Client { name: "python", bundle: &["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"], ..PLAIN };
