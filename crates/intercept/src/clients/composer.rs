//! composer 2.5: its variable beats `config.cafile`; CURL_CA_BUNDLE is ignored.

use super::{Client, PLAIN};

pub(super) const CLIENT: Client = Client { name: "composer", bundle: &["COMPOSER_CAFILE"], ..PLAIN };
