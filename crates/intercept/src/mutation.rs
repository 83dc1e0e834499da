//! The one entry for hostile bytes: every parser of this crate, none of which may panic.

use fakes::damage::survives;

use crate::{serve, trust};

/// Feeds bytes to every parser.
fn no_panic(bytes: &[u8]) {
    serve::no_panic(bytes);
    trust::no_panic(bytes);
}

#[test]
fn no_damage_makes_a_parser_panic() {
    let documents: [(&str, &[u8]); 7] = [
        ("request", b"VERSION-CONTROL http://[2001:db8::7]:8080/a HTTP/1.1"),
        ("authority", b"Files.Example.:8443"),
        ("hello", &client_hello()),
        ("certificate", include_bytes!("trust/testdata/isrg-root-x2.pem")),
        ("npmrc", b"  cafile = \"/c.pem\"\r\n# cafile=x\nhttps-proxy=y"),
        ("json", br#"{"config":{"cafile":"/c.pem","x":1}}"#),
        ("apt", b"Acquire::https::a.example::CAInfo /c.pem ;"),
    ];
    survives(&documents, no_panic);
}

/// Returns what a client sends first.
fn client_hello() -> Vec<u8> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = "files.example".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}
