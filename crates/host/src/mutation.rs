//! The one entry for hostile bytes: every parser of this crate, none of which may panic.

use std::str::FromStr;

use fakes::damage::survives;

use crate::http::{Credentials, Network, Proxies, Roots};

/// Feeds bytes to every parser: as variables, as a list of addresses, as credentials, and as certificates.
fn no_panic(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(proxies) = Proxies::read(|_| Some(text.clone().into_owned())) {
        for host in ["a.example", "127.0.0.1", "[::1]", &text] {
            proxies.has(host);
        }
    }
    // A list of exceptions does not depend on what names a proxy.
    drop(Proxies::read(|name| (name == "no_proxy").then(|| text.clone().into_owned())));
    for part in text.split([',', ' ']) {
        drop(Network::from_str(part));
        drop(Credentials::read("a.example", part));
    }
    let _ = Roots::empty().add_pem(bytes);
}

#[test]
fn no_damage_makes_a_parser_panic() {
    let root = include_bytes!("../../intercept/src/trust/testdata/isrg-root-x2.pem");
    let documents: [(&str, &[u8]); 5] = [
        ("proxy", b"http://user:p%40ss@[2001:db8::1]:3128/"),
        ("exceptions", b".example.com,10.0.0.0/8,[::1]:80,name:8080,*,2001:db8::/32"),
        ("network", b"10.20.0.0/16"),
        ("credentials", b"user:password"),
        ("certificates", root),
    ];
    survives(&documents, no_panic);
}
