use rustls_pki_types::ServerName;
use rustls_pki_types::UnixTime;

use model::Secret;

use super::*;

const NOON: &str = "2026-11-24T12:00:00Z";

fn authority(permitted: Option<&[&str]>) -> Authority {
    let permitted: Option<Vec<String>> =
        permitted.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    Authority::new(NOON.parse().unwrap(), "outlast run", permitted.as_deref()).unwrap()
}

/// Shakes hands in memory with a client that trusts the root and whose clock shows `time`.
fn handshake(config: Arc<ServerConfig>, root: &[u8], name: &str, time: &str) -> Result<(), rustls::Error> {
    #[derive(Debug)]
    struct At(UnixTime);
    impl rustls::time_provider::TimeProvider for At {
        fn current_time(&self) -> Option<UnixTime> {
            Some(self.0)
        }
    }
    let seconds = u64::try_from(time.parse::<Timestamp>().unwrap().as_second()).unwrap();
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.to_vec().into()).unwrap();
    let client = rustls::ClientConfig::builder_with_details(
        Arc::new(rustls::crypto::ring::default_provider()),
        Arc::new(At(time)),
    )
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(roots)
    .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = rustls::ServerConnection::new(config).unwrap();
    let mut wire = Vec::new();
    while client.is_handshaking() {
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut std::mem::take(&mut wire).as_slice()).unwrap();
        server.process_new_packets()?;
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut std::mem::take(&mut wire).as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}

fn check(authority: &Authority, name: &str, time: &str, is_accepted: impl Into<Option<()>>) {
    let config = match name.parse() {
        Ok(address) => authority.server_config_at(address, None),
        Err(_) => authority.server_config(),
    };
    let shaken = handshake(config, authority.root_der(), name, time);
    assert_eq!(shaken.as_ref().ok().copied(), is_accepted.into(), "{name} at {time}: {shaken:?}");
}

#[test]
fn any_name_and_address_is_answered_when_hosts_are_unknown() {
    let authority = authority(None);
    let long = format!("{}.{}.test", "a".repeat(60), "b".repeat(60));
    for name in ["registry.test", "_odd.registry.test", "198.18.0.1", "2001:db8::1", &long] {
        check(&authority, name, NOON, ());
    }
}

#[test]
fn an_authority_is_good_for_one_day() {
    let authority = authority(None);
    check(&authority, "a.test", "2026-11-24T11:01:00Z", ());
    check(&authority, "a.test", "2026-11-25T10:59:00Z", ());
    check(&authority, "a.test", "2026-11-24T10:59:00Z", None);
    check(&authority, "a.test", "2026-11-25T11:01:00Z", None);
}

#[test]
fn constraints_leave_nothing_else() {
    let some = authority(Some(&["a.test", "B.test.", "198.18.0.1", "[2001:db8::1]"]));
    for name in ["a.test", "www.a.test", "b.test", "198.18.0.1", "2001:db8::1"] {
        check(&some, name, NOON, ());
    }
    for name in ["c.test", "test", "aa.test", "198.18.0.2", "2001:db8::2"] {
        check(&some, name, NOON, None);
    }
    // One kind of name alone must not leave the other unrestricted.
    let names = authority(Some(&["a.test"]));
    check(&names, "198.18.0.1", NOON, None);
    check(&names, "2001:db8::1", NOON, None);
    let addresses = authority(Some(&["198.18.0.1"]));
    check(&addresses, "a.test", NOON, None);
    check(&addresses, "2001:db8::1", NOON, None);
    let nothing = authority(Some(&[]));
    check(&nothing, "a.test", NOON, None);
    check(&nothing, "198.18.0.1", NOON, None);
}

#[test]
fn one_run_does_not_trust_another() {
    let (ours, theirs) = (authority(None), authority(None));
    assert_ne!(ours.root_der(), theirs.root_der());
    let shaken = handshake(ours.server_config(), theirs.root_der(), "a.test", NOON);
    assert!(matches!(shaken, Err(rustls::Error::InvalidCertificate(_))), "{shaken:?}");
}

#[test]
fn a_name_gets_one_certificate_however_it_is_written() {
    let authority = authority(None);
    for name in ["a.test", "A.Test", "a.test"] {
        check(&authority, name, NOON, ());
    }
    assert_eq!(authority.n_leaves(), 1);
    check(&authority, "b.test", NOON, ());
    assert_eq!(authority.n_leaves(), 2);
}

#[test]
fn a_time_or_a_name_no_certificate_can_hold_is_an_error() {
    let before = Authority::new("1969-01-01T00:00:00Z".parse().unwrap(), "x", None);
    assert!(matches!(before, Err(AuthorityError::Clock)));
    for name in ["bücher.test", "", ".", ".test", "a b", "*.test", "a.test:443", "fe80::1%lo"] {
        let made = Authority::new(NOON.parse().unwrap(), "x", Some(&[name.to_owned()]));
        assert!(matches!(made, Err(AuthorityError::Name { .. })), "{name}");
    }
    let shown = Authority::new(NOON.parse().unwrap(), &"ü".repeat(300), None);
    assert!(shown.is_ok(), "what people see may be anything");
}

#[test]
fn the_root_is_shown_as_pem_and_the_key_never() {
    let authority = authority(None);
    let lines: Vec<&str> = authority.root_pem().lines().collect();
    assert_eq!(lines[0], "-----BEGIN CERTIFICATE-----");
    assert!(lines[1..lines.len() - 2].iter().all(|line| line.len() == 64));
    assert_eq!(format!("{authority:?}"), "Authority { n_leaves: 0, .. }");
}

fn root() -> Root {
    Root::new(NOON.parse().unwrap()).unwrap()
}

fn under(root: &Root, time: &str) -> Authority {
    Authority::under(root, time.parse().unwrap()).unwrap()
}

#[test]
fn whoever_trusts_a_root_that_is_kept_trusts_what_it_signs_later() {
    let root = root();
    let kept = Root::read(&root.key_pem(), &root.certificate_pem()).unwrap();
    assert_eq!(
        (kept.certificate_pem(), kept.ends_at().to_string()),
        (root.certificate_pem(), "2027-11-24T12:00:00Z".to_owned())
    );
    let now = "2027-03-01T12:00:00Z";
    let later = under(&kept, now);
    for (time, is_accepted) in [
        (now, Some(())),
        ("2027-02-28T12:01:00Z", Some(())),
        ("2027-03-08T11:59:00Z", Some(())),
        ("2027-02-28T11:59:00Z", None),
        ("2027-03-08T12:01:00Z", None),
    ] {
        let shaken = handshake(later.server_config(), under(&root, NOON).root_der(), "a.test", time);
        assert_eq!(shaken.as_ref().ok().copied(), is_accepted, "{time}: {shaken:?}");
    }
    let stranger = under(&self::root(), now);
    assert!(handshake(later.server_config(), stranger.root_der(), "a.test", now).is_err());
}

#[test]
fn a_root_that_nears_its_end_is_made_anew_and_clients_of_the_earlier_one_go_on() {
    let root = root();
    let is_due = |time: &str| root.is_due(time.parse().unwrap());
    assert_eq!(
        (is_due(NOON), is_due("2027-08-25T12:00:00Z"), is_due("2027-08-26T12:00:00Z")),
        (false, false, true)
    );
    let now = "2027-10-01T12:00:00Z";
    let renewed = Root::renewed(&root.key_pem(), now.parse().unwrap()).unwrap();
    assert_ne!(renewed.certificate_pem(), root.certificate_pem());
    assert!(!renewed.is_due(now.parse().unwrap()));
    let anew = under(&renewed, now);
    for trusted in [&root, &renewed] {
        let trusted = under(trusted, now);
        handshake(anew.server_config(), trusted.root_der(), "a.test", now).unwrap();
    }
}

#[test]
fn what_is_no_root_is_told_and_its_key_is_not() {
    let (root, other) = (root(), self::root());
    let read = |key: &Secret<String>, certificate: &str| Root::read(key, certificate).unwrap_err();
    assert!(matches!(read(&Secret::new("x".to_owned()), &root.certificate_pem()), RootError::Key));
    assert!(matches!(read(&root.key_pem(), "x"), RootError::Certificate));
    assert!(matches!(read(&root.key_pem(), &other.certificate_pem()), RootError::Strangers));
    let shown = format!("{root:?} {:?}", root.key_pem());
    assert!(shown.contains("Outlast ") && !shown.contains("PRIVATE"), "{shown}");
}

#[test]
fn a_server_s_authority_offers_the_older_http_alone() {
    assert_eq!(under(&root(), NOON).server_config().alpn_protocols, [b"http/1.1"]);
    assert_eq!(authority(None).server_config().alpn_protocols, [&b"h2"[..], b"http/1.1"]);
}
