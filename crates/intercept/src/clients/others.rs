//! Clients with a bundle of their own that nothing else covers. Their variables are set where that is harmless, and
//! otherwise only replaced where the caller has set them.

use super::{Client, PLAIN};

pub(super) const CLIENT: Client = Client {
    name: "others",
    bundle: &["AWS_CA_BUNDLE"],
    bundle_if_set: &[
        "NIX_SSL_CERT_FILE",
        "HTTPLIB2_CA_CERTS",
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
        "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
        "PERL_LWP_SSL_CA_FILE",
        "HTTPS_CA_FILE",
        "HEX_CACERTS_PATH",
        "JULIA_SSL_CA_ROOTS_PATH",
        "BUNDLE_SSL_CA_CERT",
        "SYSTEM_CERTIFICATE_PATH",
    ],
    proxy: &["RSYNC_PROXY", "GLOBAL_AGENT_HTTP_PROXY", "GLOBAL_AGENT_HTTPS_PROXY"],
    ..PLAIN
};
