use super::*;
use crate::caller::Memory;

/// A certificate of its own for each name.
fn root(name: &str) -> String {
    let authority = crate::Authority::new("2026-11-24T12:00:00Z".parse().unwrap(), name, None).unwrap();
    authority.root_pem().to_owned()
}

fn caller(variables: &[(&str, &str)], files: Memory) -> Caller {
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
    Caller::new(variables, "/home/me/project", files)
}

/// Asserts that a setting's certificate is trusted, and that without the setting it is not.
fn check(variables: &[(&str, &str)], file: &str, text: &str, certificate: &str) {
    let mut own = vec![("HOME", "/home/me")];
    own.extend_from_slice(variables);
    let company = root("company");
    let files = Memory::default()
        .with("/etc/ssl/certs/ca-certificates.crt", root("system"))
        .with(certificate, company.clone());
    let without = CallerTrust::read(&caller(&[("HOME", "/home/me")], files.clone()));
    assert_eq!(without.n_certificates(), (1, 0), "{file}");
    let files = if file.is_empty() {
        files
    } else {
        files.with(file, text.replace("{root}", &company.replace('\n', "\\n")))
    };
    let with = CallerTrust::read(&caller(&own, files));
    assert_eq!((with.n_certificates(), with.unreadable()), ((1, 1), &[][..]), "{file} {variables:?}");
    assert!(String::from_utf8(with.bundle_pem("")).unwrap().contains(&company), "{file} {variables:?}");
}

#[test]
fn every_variable_that_names_certificates_is_honoured() {
    for name in [
        "SSL_CERT_FILE",
        "NODE_EXTRA_CA_CERTS",
        "PIP_CERT",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO",
        "CARGO_HTTP_CAINFO",
        "COMPOSER_CAFILE",
        "DENO_CERT",
        "AWS_CA_BUNDLE",
        "npm_config_cafile",
        "NPM_CONFIG_CAFILE",
        "YARN_HTTPS_CA_FILE_PATH",
    ] {
        check(&[(name, "/etc/company.pem")], "", "", "/etc/company.pem");
        check(&[(name, "tls/company.pem")], "", "", "/home/me/project/tls/company.pem");
    }
    check(&[("SSL_CERT_DIR", "/none:/etc/company")], "", "", "/etc/company/0a1b2c3d.0");
}

#[test]
fn every_client_s_own_settings_are_honoured() {
    let pem = "/etc/company.pem";
    check(&[], "/home/me/.npmrc", "cafile=/etc/company.pem\n", pem);
    check(&[], "/home/me/project/.npmrc", "noproxy=a\ncafile = \"/etc/company.pem\"\n", pem);
    check(&[], "/home/me/.npmrc", "cafile=${HOME}/company.pem\n", "/home/me/company.pem");
    check(&[("npm_config_userconfig", "/else/npmrc")], "/else/npmrc", "cafile=/etc/company.pem", pem);
    check(&[], "/home/me/.npmrc", "ca=\"{root}\"\n", "/unused");
    check(
        &[],
        "/home/me/project/.cargo/config.toml",
        "[http]\ncainfo = \"company.pem\"\n",
        "/home/me/project/company.pem",
    );
    check(&[], "/home/me/.cargo/config.toml", "http.cainfo = '/etc/company.pem'\n", pem);
    check(&[("CARGO_HOME", "/cargo")], "/cargo/config.toml", "[http]\ncainfo = '/etc/company.pem'\n", pem);
    check(
        &[],
        "/home/me/project/.yarnrc.yml",
        "httpsCaFilePath: ./company.pem\n",
        "/home/me/project/./company.pem",
    );
    check(&[], "/home/me/.config/composer/config.json", r#"{"config":{"cafile":"/etc/company.pem"}}"#, pem);
    check(&[], "/home/me/.gitconfig", "[http]\n\tsslCAInfo = ~/company.pem\n", "/home/me/company.pem");
    check(&[], "/home/me/.curlrc", "cacert = \"/etc/company.pem\"\n", pem);
    check(&[], "/home/me/.wgetrc", "ca_certificate = /etc/company.pem\n", pem);
    check(&[], "/home/me/.config/pip/pip.conf", "[global]\ncert = /etc/company.pem\n", pem);
    check(&[], "/etc/apt/apt.conf.d/99ca", "Acquire::https::CAInfo \"/etc/company.pem\";\n", pem);
    check(&[], "/home/me/.bunfig.toml", "[install]\ncafile = \"/etc/company.pem\"\n", pem);
}

#[test]
fn what_is_named_and_not_there_is_told() {
    let files = Memory::default()
        .with("/home/me/.npmrc", "cafile=/gone.pem\n//registry/:_authToken=hunter2")
        .with("/not-pem", "hello");
    let trust = CallerTrust::read(&caller(&[("HOME", "/home/me"), ("PIP_CERT", "/not-pem")], files));
    let told: Vec<String> =
        trust.unreadable().iter().map(|it| format!("{} by {}", it.path.display(), it.named_by)).collect();
    assert_eq!(told, ["/not-pem by PIP_CERT", "/gone.pem by /home/me/.npmrc"]);
    assert!(!format!("{trust:?}").contains("hunter2"));
}

#[test]
fn a_bundle_holds_each_certificate_once_ours_first_and_no_key() {
    let (system, ours) = (root("system"), root("ours"));
    let key = "-----BEGIN PRIVATE KEY-----\nTWFu\n-----END PRIVATE KEY-----\n";
    let bundle = format!("# remark\n{system}{key}{system}");
    let files = Memory::default().with("/etc/pki/tls/certs/ca-bundle.crt", bundle);
    let trust = CallerTrust::read(&caller(&[("SSL_CERT_FILE", "/etc/pki/tls/certs/ca-bundle.crt")], files));
    assert_eq!(String::from_utf8(trust.bundle_pem(&ours)).unwrap(), format!("{ours}{system}"));
    assert_eq!(trust.upstream_roots().len(), 1, "the run's own root is not for upstreams");
}

#[test]
fn a_system_without_a_bundle_is_read_from_its_directory() {
    let files = Memory::default()
        .with("/etc/ssl/certs/a.pem", root("a"))
        .with("/etc/ssl/certs/b.0", root("b"))
        .with("/etc/ssl/certs/README", "hello");
    assert_eq!(CallerTrust::read(&caller(&[], files)).n_certificates(), (2, 0));
}

#[test]
fn lenient_readers_forms_of_pem_are_read() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    let plain = root("a");
    let der = pem::read(plain.as_bytes()).pop().unwrap();
    let mut remarked = der.to_vec();
    remarked.extend_from_slice(&[0x30, 0x03, 0x01, 0x01, 0xff]);
    let trusted = format!(
        "-----BEGIN TRUSTED CERTIFICATE-----\n{}\n-----END TRUSTED CERTIFICATE-----\n",
        STANDARD.encode(remarked)
    );
    let broken = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    let nonsense = "-----BEGIN CERTIFICATE-----\nTWFu\n-----END CERTIFICATE-----\n";
    let cases = [
        plain.clone(),
        plain.replace('\n', "\r\n"),
        plain.replace(" CERT", " X509 CERT"),
        trusted,
        format!("{broken}{nonsense}{plain}"),
        format!("caf\u{fffd}\n{plain}"),
    ];
    for text in cases {
        assert_eq!(pem::read(text.as_bytes()), std::slice::from_ref(&der), "{text}");
    }
}

#[test]
fn the_java_store_has_the_form_java_writes() {
    let trust = CallerTrust::default();
    let store = trust.java_trust_store(b"der");
    let digest = ring::digest::digest(
        &ring::digest::SHA1_FOR_LEGACY_USE_ONLY,
        &[&b"\0c\0h\0a\0n\0g\0e\0i\0tMighty Aphrodite"[..], &store[..store.len() - 20]].concat(),
    );
    assert_eq!(&store[store.len() - 20..], digest.as_ref());
    let expected = b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01\0\0\0\x02\0\x07outlast\0\0\0\0\0\0\0\0\0\x05X.509\0\0\0\x03der";
    assert_eq!(&store[..store.len() - 20], expected);
}

/// Let's Encrypt's second root (letsencrypt.org/certs/isrg-root-x2.pem, as Debian ships it, 2026-11): every client has it.
const PUBLIC: &str = include_str!("testdata/isrg-root-x2.pem");
/// A root that Mozilla dropped and Debian 12 still ships (ca-certificates 20230311, read 2026-11).
const DROPPED: &str = include_str!("testdata/baltimore-cybertrust.pem");

#[test]
fn public_roots_are_not_extra_and_all_others_are() {
    let (system, company) = (root("system"), root("company"));
    let files = Memory::default()
        .with("/etc/ssl/certs/ca-certificates.crt", format!("{system}{PUBLIC}{DROPPED}"))
        .with("/etc/company.pem", company.clone());
    let trust = CallerTrust::read(&caller(&[("NODE_EXTRA_CA_CERTS", "/etc/company.pem")], files));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (extra, bundle) = (text(trust.extra_pem("root\n")), text(trust.bundle_pem("root\n")));
    let has = |pem: &str, of: &str| pem.contains(of.trim());
    assert!(extra.starts_with("root\n") && has(&extra, &system) && has(&extra, &company), "{extra}");
    for public in [PUBLIC, DROPPED] {
        assert!(has(&bundle, public) && !has(&extra, public), "{extra}");
    }
}
