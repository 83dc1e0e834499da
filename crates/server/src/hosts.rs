//! Which names the server answers to. A page on the web can send a browser to a server in its network under a name of the page's own
//! (DNS rebinding); addresses and names that are the server's it cannot claim.

use std::net::IpAddr;

/// Returns whether a `Host` header may mean this server: an address, this machine, or the name in its own address.
pub(crate) fn is_ours(host: &str, site: &str) -> bool {
    let name = without_port(host);
    let own = site.split_once("://").map_or(site, |(_, rest)| rest);
    let own = without_port(own.split('/').next().unwrap_or(own));
    name.eq_ignore_ascii_case("localhost")
        || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case(own)
}

fn without_port(authority: &str) -> &str {
    match authority.rfind(':') {
        Some(colon) if !authority.ends_with(']') => &authority[..colon],
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_name_is_not_ours() {
        let site = "https://outlast.example:8443/team";
        for host in
            ["outlast.example", "Outlast.Example:8443", "127.0.0.1:80", "[::1]:8080", "[::1]", "localhost:1"]
        {
            assert!(is_ours(host, site), "{host}");
        }
        for host in
            ["", "evil.example", "evil.example:8443", "outlast.example.evil.example", "127.0.0.1.nip.example"]
        {
            assert!(!is_ours(host, site), "{host}");
        }
    }
}
