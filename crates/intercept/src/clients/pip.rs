//! pip 23.2 and 26.3: the older ignores SSL_CERT_FILE.

use super::{Client, PLAIN};

pub(super) const CLIENT: Client =
    Client { name: "pip", bundle: &["PIP_CERT", "REQUESTS_CA_BUNDLE"], proxy: &["PIP_PROXY"], ..PLAIN };
