mod git;

use std::collections::BTreeMap;

use super::*;
use crate::caller::Memory;

const SEALED: Tier = Tier::Sealed { forges: Vec::new() };

fn observed() -> Tier {
    Tier::Observed { proxy: Some(SafeUrl::parse("http://outlast:token@127.0.0.1:4800").unwrap()) }
}

fn paths() -> Paths {
    Paths {
        bundle: "/room/bundle.pem".into(),
        ca: "/room/ca.pem".into(),
        extra: "/room/extra.pem".into(),
        java_store: "/room/cacerts".into(),
        directory: "/room".into(),
    }
}

fn of(tier: &Tier, variables: &[(&str, &str)], files: Memory) -> Settings {
    let mut own = vec![("HOME", "/home/me")];
    own.extend_from_slice(variables);
    let own = own.iter().map(|(name, value)| (name.into(), value.into())).collect();
    settings(&Caller::new(own, "/home/me/project", files), &paths(), tier)
}

fn variables(settings: &Settings) -> BTreeMap<&str, &str> {
    settings.variables.iter().map(|(name, value)| (name.to_str().unwrap(), value.to_str().unwrap())).collect()
}

fn file(settings: &Settings, path: &str) -> String {
    let (_, bytes) = settings.files.iter().find(|(it, _)| it.as_os_str() == path).expect(path);
    String::from_utf8(bytes.clone()).unwrap()
}

/// Asserts what a caller's variables and files become; `None` means "not set by us".
fn check(tier: &Tier, own: &[(&str, &str)], files: &[(&str, &str)], expected: &[(&str, Option<&str>)]) {
    let files = files.iter().fold(Memory::default(), |files, (path, text)| files.with(*path, *text));
    let settings = of(tier, own, files);
    let set = variables(&settings);
    for (name, value) in expected {
        assert_eq!(set.get(name), value.as_ref(), "{name} for {own:?}");
        assert!(!(settings.removed.iter().any(|it| it == name) && value.is_some()), "{name} set and removed");
    }
}

#[test]
fn a_bare_caller_gets_what_each_client_needs() {
    let settings = of(&SEALED, &[], Memory::default());
    let expected = [
        ("APT_CONFIG", "/room/apt.conf"),
        ("AWS_CA_BUNDLE", "/room/bundle.pem"),
        ("CARGO_HTTP_CAINFO", "/room/bundle.pem"),
        ("COMPOSER_CAFILE", "/room/bundle.pem"),
        ("CURL_CA_BUNDLE", "/room/bundle.pem"),
        ("DENO_CERT", "/room/ca.pem"),
        ("GIT_SSL_CAINFO", "/room/bundle.pem"),
        ("NODE_EXTRA_CA_CERTS", "/room/ca.pem"),
        ("PHP_INI_SCAN_DIR", ":/room/php"),
        ("PIP_CERT", "/room/bundle.pem"),
        ("REQUESTS_CA_BUNDLE", "/room/bundle.pem"),
        ("SSL_CERT_FILE", "/room/bundle.pem"),
        ("WGETRC", "/room/wgetrc"),
        ("npm_config_cafile", "/room/extra.pem"),
    ];
    // Exactly these: a name too many kills Yarn 4, a proxy cannot be reached.
    assert_eq!(variables(&settings), BTreeMap::from(expected));
    assert_eq!(settings.removed, Vec::<OsString>::new());
}

#[test]
fn every_client_of_the_list_has_a_name_of_its_own_and_a_setting() {
    let mut names: Vec<&str> = ALL.iter().map(|client| client.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ALL.len());
    for client in &ALL {
        let (caller, paths, tier) = (
            Caller::new(
                vec![("JAVA_HOME".into(), "/jdk".into())],
                "/",
                Memory::default().with("/jdk/bin/java", ""),
            ),
            paths(),
            observed(),
        );
        let mut draft = Draft::new(&caller, &paths, &tier);
        draft.apply(client);
        assert!(!draft.settings.variables.is_empty(), "{}", client.name);
    }
}

#[test]
fn what_the_caller_had_named_is_replaced_by_what_holds_it() {
    for name in ["NODE_EXTRA_CA_CERTS", "DENO_CERT"] {
        check(&SEALED, &[(name, "/etc/company.pem")], &[], &[(name, Some("/room/extra.pem"))]);
    }
    for name in ["SSL_CERT_FILE", "GIT_SSL_CAINFO", "PIP_CERT", "CARGO_HTTP_CAINFO"] {
        check(&SEALED, &[(name, "/etc/company.pem")], &[], &[(name, Some("/room/bundle.pem"))]);
    }
    for name in ["NIX_SSL_CERT_FILE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "YARN_HTTPS_CA_FILE_PATH"] {
        check(&SEALED, &[(name, "/etc/company.pem")], &[], &[(name, Some("/room/bundle.pem"))]);
        check(&SEALED, &[], &[], &[(name, None)]);
    }
}

#[test]
fn a_yarn_that_knows_a_setting_gets_its_variable() {
    let yaml = [("/home/me/project/.yarnrc.yml", "httpsCaFilePath: /etc/company.pem\n")];
    let (new, old) = ("YARN_HTTPS_CA_FILE_PATH", "YARN_CA_FILE_PATH");
    check(&SEALED, &[], &yaml, &[(new, Some("/room/bundle.pem")), (old, None)]);
    let yaml = [("/home/me/.yarnrc.yml", "caFilePath: /etc/company.pem\n")];
    check(&SEALED, &[], &yaml, &[(new, None), (old, Some("/room/bundle.pem"))]);
}

#[test]
fn a_sealed_room_has_no_proxies() {
    let own = [
        ("https_proxy", "http://p:1"),
        ("HTTP_PROXY", "http://p:1"),
        ("ALL_PROXY", "socks5://p:1"),
        ("no_proxy", "a"),
        ("NPM_CONFIG_HTTPS_PROXY", "http://p:1"),
        ("npm_config_noproxy", "a"),
        ("YARN_HTTPS_PROXY", "http://p:1"),
        ("CARGO_HTTP_PROXY", "http://p:1"),
        ("PIP_PROXY", "http://p:1"),
        ("GOPROXY", "https://proxy.golang.org"),
    ];
    let settings = of(&SEALED, &own, Memory::default());
    let removed: Vec<&str> = settings.removed.iter().map(|name| name.to_str().unwrap()).collect();
    let expected: Vec<&str> = own.iter().map(|(name, _)| *name).filter(|name| *name != "GOPROXY").collect();
    assert_eq!(removed, expected, "GOPROXY is a registry");
    assert!(variables(&settings).keys().all(|name| !name.to_ascii_lowercase().contains("proxy")));
}

#[test]
fn proxies_of_settings_files_are_taken_away_too() {
    let npm = [("/home/me/.npmrc", "proxy=http://p:1\nhttps-proxy=http://p:1\n")];
    check(
        &SEALED,
        &[],
        &npm,
        &[("npm_config_proxy", Some("null")), ("npm_config_https_proxy", Some("null"))],
    );
    check(&SEALED, &[], &[], &[("npm_config_proxy", None)]);
    let cargo = [("/home/me/project/.cargo/config.toml", "[http]\nproxy = \"p:1\"\n")];
    check(&SEALED, &[], &cargo, &[("CARGO_HTTP_PROXY", Some(""))]);
    let git = [("/home/me/.gitconfig", "[http]\n\tproxy = http://p:1\n")];
    check(&SEALED, &[], &git, &[("GIT_CONFIG_COUNT", Some("1")), ("GIT_CONFIG_KEY_0", Some("http.proxy"))]);
    check(&SEALED, &[], &git, &[("GIT_CONFIG_VALUE_0", Some(""))]);
    let curl = of(&SEALED, &[], Memory::default().with("/home/me/.curlrc", "proxy = p:1\nuser-agent = x\n"));
    assert_eq!(variables(&curl)["CURL_HOME"], "/room/curl");
    let text = file(&curl, "/room/curl/.curlrc");
    assert_eq!(text, "proxy = p:1\nuser-agent = x\n\ncacert = \"/room/bundle.pem\"\nproxy = \"\"\n");
    check(&SEALED, &[], &[("/home/me/.curlrc", "user-agent = x\n")], &[("CURL_HOME", None)]);
}

#[test]
fn an_observed_run_goes_through_the_proxy() {
    let proxy = Some("http://outlast:token@127.0.0.1:4800");
    let own = [("HTTPS_PROXY", "http://company:1"), ("ALL_PROXY", "socks5://company:1"), ("NO_PROXY", "*")];
    check(
        &observed(),
        &own,
        &[],
        &[
            ("http_proxy", proxy),
            ("https_proxy", proxy),
            ("HTTP_PROXY", proxy),
            ("HTTPS_PROXY", proxy),
            ("npm_config_https_proxy", proxy),
            ("YARN_HTTPS_PROXY", proxy),
            ("YARN_HTTP_PROXY", proxy),
            ("CARGO_HTTP_PROXY", proxy),
            ("PIP_PROXY", proxy),
            ("NO_PROXY", Some("localhost,127.0.0.1,::1")),
            ("npm_config_noproxy", Some("localhost,127.0.0.1,::1")),
            ("ALL_PROXY", None),
            ("GIT_CONFIG_KEY_0", Some("http.proxy")),
            ("GIT_CONFIG_VALUE_0", proxy),
            ("JAVA_TOOL_OPTIONS", None),
        ],
    );
    let settings = of(&observed(), &own, Memory::default());
    assert_eq!(settings.removed, ["ALL_PROXY"]);
    assert!(
        file(&settings, "/room/apt.conf")
            .contains("Acquire::https::Proxy \"http://outlast:token@127.0.0.1:4800\";")
    );
    assert!(file(&settings, "/room/wgetrc").contains("https_proxy = http://outlast:token@127.0.0.1:4800"));
}

#[test]
fn an_observed_run_without_a_proxy_keeps_the_caller_s() {
    let own = [
        ("HTTPS_PROXY", "http://company:1"),
        ("no_proxy", "a"),
        ("NPM_CONFIG_HTTP_PROXY", "http://company:1"),
    ];
    let settings = of(&Tier::Observed { proxy: None }, &own, Memory::default());
    assert_eq!(settings.removed, Vec::<OsString>::new());
    assert_eq!(variables(&settings).get("HTTPS_PROXY"), None);
    assert!(!file(&settings, "/room/wgetrc").contains("use_proxy"));
}

#[test]
fn files_that_replace_the_caller_s_repeat_them() {
    let files = Memory::default()
        .with("/home/me/.wgetrc", "tries = 7\nca_certificate = /etc/company.pem")
        .with("/etc/my-apt.conf", "Acquire::Retries \"7\";");
    let settings =
        of(&SEALED, &[("APT_CONFIG", "/etc/my-apt.conf"), ("PHP_INI_SCAN_DIR", "/a:/b")], files.clone());
    assert_eq!(
        file(&settings, "/room/wgetrc"),
        "tries = 7\nca_certificate = /etc/company.pem\nca_certificate = /room/bundle.pem\nuse_proxy = off\n"
    );
    let apt = file(&settings, "/room/apt.conf");
    assert!(
        apt.starts_with("Acquire::Retries \"7\";\nAcquire::https::CAInfo \"/room/bundle.pem\";\n"),
        "{apt}"
    );
    assert_eq!(variables(&settings)["PHP_INI_SCAN_DIR"], "/a:/b:/room/php");
    assert!(file(&settings, "/room/php/outlast.ini").contains("openssl.cafile = \"/room/bundle.pem\""));
    let other = of(&SEALED, &[("WGETRC", "/etc/w")], files.with("/etc/w", "tries = 1"));
    assert!(file(&other, "/room/wgetrc").starts_with("tries = 1\n"));
}

#[test]
fn npm_sees_one_spelling_only() {
    let settings = of(&SEALED, &[("NPM_CONFIG_CAFILE", "/etc/company.pem")], Memory::default());
    assert_eq!(settings.removed, ["NPM_CONFIG_CAFILE"]);
    assert_eq!(variables(&settings)["npm_config_cafile"], "/room/extra.pem");
    // Observed, npm may reach a host itself.
    check(&observed(), &[], &[], &[("npm_config_cafile", Some("/room/bundle.pem"))]);
}

#[test]
fn what_exists_is_covered_except_inside_the_project() {
    let files = Memory::default()
        .with("/etc/ssl/certs/ca-certificates.crt", "")
        .with("/etc/company.pem", "")
        .with("/home/me/project/company.pem", "")
        .with("/etc/apt/apt.conf.d/1", "Acquire::https::CAInfo \"/etc/company.pem\";")
        .with("/home/me/project/.npmrc", "cafile=/home/me/project/company.pem")
        .with("/home/me/.npmrc", "cafile=/gone.pem\ncafile=/etc/ssl/certs");
    let settings = of(&SEALED, &[], files);
    let covered: Vec<&str> = settings.overlays.iter().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(covered, ["/etc/ssl/certs/ca-certificates.crt", "/etc/company.pem"]);
    assert_eq!(settings.java_overlays, Vec::<PathBuf>::new());
}

#[test]
fn java_is_silent_in_a_sealed_room_where_its_store_can_be_covered() {
    let trust = "-Djavax.net.ssl.trustStore=/room/cacerts -Djavax.net.ssl.trustStorePassword=changeit -Djavax.net.ssl.trustStoreType=JKS";
    let with_store = || Memory::default().with("/jdk/bin/java", "").with("/jdk/lib/security/cacerts", "");
    for own in [[("JAVA_HOME", "/jdk")], [("PATH", "/bin:/jdk/bin")]] {
        let settings = of(&SEALED, &own, with_store());
        assert_eq!(settings.java_overlays, [PathBuf::from("/jdk/lib/security/cacerts")]);
        assert_eq!(variables(&settings).get("JAVA_TOOL_OPTIONS"), None, "it prints a line at every start");
    }
    let own = [("JAVA_HOME", "/jdk")];
    let bare = [("/jdk/bin/java", "")];
    check(&SEALED, &own, &bare, &[("JAVA_TOOL_OPTIONS", Some(trust)), ("MAVEN_ARGS", None)]);
    check(&SEALED, &[], &[], &[("JAVA_TOOL_OPTIONS", None)]);

    let settings = of(&observed(), &[("JAVA_HOME", "/jdk"), ("JAVA_TOOL_OPTIONS", "-Xmx1g")], with_store());
    let options = variables(&settings)["JAVA_TOOL_OPTIONS"];
    assert!(options.starts_with(&format!("-Xmx1g {trust} ")), "{options}");
    assert!(options.contains("-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=4800"), "{options}");
    assert!(variables(&settings)["MAVEN_ARGS"].contains("useSystemProperties=true"));
}

#[test]
fn java_options_of_the_caller_lose_proxy_and_store_and_keep_the_rest() {
    let own = [
        ("JAVA_HOME", "/jdk"),
        ("MAVEN_OPTS", "-Xmx1g -Dhttps.proxyHost=company -Dhttps.proxyPort=1"),
        ("GRADLE_OPTS", "-Djavax.net.ssl.trustStore=/etc/company.jks"),
    ];
    let files = [("/jdk/bin/java", ""), ("/jdk/lib/security/cacerts", "")];
    check(
        &SEALED,
        &own,
        &files,
        &[
            ("MAVEN_OPTS", Some("-Xmx1g")),
            (
                "GRADLE_OPTS",
                Some(
                    "-Djavax.net.ssl.trustStore=/etc/company.jks -Djavax.net.ssl.trustStore=/room/cacerts \
                 -Djavax.net.ssl.trustStorePassword=changeit -Djavax.net.ssl.trustStoreType=JKS",
                ),
            ),
        ],
    );
}

#[test]
fn secrets_are_never_printed() {
    let own =
        [("HTTPS_PROXY", "http://me:hunter2@p:1"), ("TOKEN", "hunter2"), ("PHP_INI_SCAN_DIR", "hunter2")];
    let files = Memory::default().with("/home/me/.wgetrc", "password = hunter2");
    let settings = of(&observed(), &own, files);
    let own: Vec<_> = own.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let caller = Caller::new(own, "/home/me", Memory::default());
    let printed = format!("{settings:?} {caller:?} {:?}", observed());
    assert!(!printed.contains("hunter2") && !printed.contains("token"), "{printed}");
    assert!(printed.contains("WGETRC"));
}

#[test]
fn cargo_lets_git_ask_where_ssh_would_be_needed() {
    let with_git = "CARGO_NET_GIT_FETCH_WITH_CLI";
    let check = |tier: &Tier, own: &[(&str, &str)], files: &[(&str, &str)], expected: Option<&str>| {
        check(tier, own, files, &[(with_git, expected)]);
    };
    let https = ("/home/me/project/Cargo.toml", "a = { git = \"https://forge.example/a\" }");
    let ssh = ("/home/me/project/Cargo.toml", "a = { git = \"ssh://git@forge.example/a\" }");
    let lock = ("/home/me/Cargo.lock", "source = \"git+ssh://git@forge.example/a#0123\"");
    let chosen = ("/home/me/.cargo/config.toml", "[net]\ngit-fetch-with-cli = false\n");
    check(&SEALED, &[], &[https], None);
    check(&SEALED, &[], &[ssh], Some("true"));
    check(&SEALED, &[], &[https, lock], Some("true"));
    check(&SEALED, &[], &[ssh, chosen], None);
    check(&SEALED, &[(with_git, "false")], &[ssh], None);
    check(&observed(), &[], &[ssh], None);
}
