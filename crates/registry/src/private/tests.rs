use http::{HeaderMap, Method};

use super::*;
use crate::site::Site;

fn ecosystem(name: &str) -> &'static dyn Ecosystem {
    crate::ecosystem::ecosystem(name).unwrap()
}

fn registries(all: &[(&str, &str, &[&str])]) -> PrivateRegistries {
    let mut registries = PrivateRegistries::default();
    for (name, url, patterns) in all {
        registries.add(PrivateRegistry::new(ecosystem(name), url).unwrap());
        patterns.iter().for_each(|pattern| registries.name(pattern).unwrap());
    }
    registries
}

fn acme() -> PrivateRegistries {
    registries(&[
        ("npm", "https://npm.acme.example/repository/npm", &["@acme/*", "acme-tool"]),
        ("npm", "https://special.acme.example", &["@acme/special*"]),
        ("pypi", "https://pypi.acme.example/simple", &["acme-*", "Acme.Core"]),
        ("composer", "https://composer.acme.example", &["acme/*"]),
    ])
}

fn url(text: &str) -> ObjectUrl {
    ObjectUrl::parse(text).unwrap()
}

/// An address at a registry, `nowhere`, or nothing where it is public.
fn placed(text: &str) -> String {
    match acme().place(&url(text)) {
        Placed::Public => String::new(),
        Placed::Private(url) => url.to_string(),
        Placed::Nowhere { .. } => "nowhere".to_owned(),
    }
}

#[test]
fn a_question_that_names_what_is_private_is_nobody_elses() {
    for query in [
        "https://registry.npmjs.org/-/v1/search?text=@acme/secret",
        "https://registry.npmjs.org/-/v1/search?size=20&text=left-pad+%40acme%2Fsecret",
        "https://registry.npmjs.org/-/v1/search?text=acme-tool,left-pad",
    ] {
        assert_eq!(placed(query), "nowhere", "{query}");
    }
    for query in [
        "https://registry.npmjs.org/-/v1/search?text=left-pad",
        "https://registry.npmjs.org/-/v1/search?text=acme",
        "https://npm.acme.example/repository/npm/-/v1/search?text=@acme/secret",
        "https://registry.npmjs.org/-/v1/search",
    ] {
        assert_eq!(placed(query), "", "{query}");
    }
}

#[test]
fn a_private_name_is_asked_for_at_its_registry_alone() {
    let npm = "https://npm.acme.example/repository/npm";
    for (public, expected) in [
        ("/@acme/lib", format!("{npm}/@acme/lib")),
        ("/@acme%2flib", format!("{npm}/@acme%2flib")),
        ("/%40acme%2Flib", format!("{npm}/%40acme%2Flib")),
        ("//@acme/lib", format!("{npm}/@acme/lib")),
        ("/@ACME/lib", format!("{npm}/@ACME/lib")),
        ("/@acme/lib/1.0.0", format!("{npm}/@acme/lib/1.0.0")),
        ("/@acme/lib/-/lib-1.0.0.tgz", format!("{npm}/@acme/lib/-/lib-1.0.0.tgz")),
        ("/-/package/@acme%2flib/dist-tags", format!("{npm}/-/package/@acme%2flib/dist-tags")),
        (
            "/-/npm/v1/attestations/@acme%2flib@1.0.0",
            format!("{npm}/-/npm/v1/attestations/@acme%2flib@1.0.0"),
        ),
        ("/-/npm/v1/attestations/acme-tool@1.0.0", format!("{npm}/-/npm/v1/attestations/acme-tool@1.0.0")),
        ("/acme-tool", format!("{npm}/acme-tool")),
        ("/acme-tool?write=true", format!("{npm}/acme-tool?write=true")),
        ("/@acme/special-1", "https://special.acme.example/@acme/special-1".to_owned()),
        ("/acme-tools", String::new()),
        ("/@acme-inc/lib", String::new()),
        ("/@other/lib", String::new()),
        ("/-/npm/v1/keys", String::new()),
        ("/", String::new()),
    ] {
        for host in ["registry.npmjs.org", "registry.yarnpkg.com"] {
            assert_eq!(placed(&format!("https://{host}{public}")), expected, "{public}");
        }
    }
    assert_eq!(placed("https://other.example/@acme/lib"), "", "another registry that is asked by name");
}

#[test]
fn names_are_compared_as_their_ecosystem_compares_them() {
    let page = |name: &str| format!("https://pypi.acme.example/simple/{name}/");
    for (public, expected) in [
        ("https://pypi.org/simple/acme-lib/", page("acme-lib")),
        ("https://pypi.org/simple/Acme_.-Lib", page("acme-lib")),
        ("https://pypi.org/simple/acme.lib/", page("acme-lib")),
        ("https://pypi.org/simple/acme-core/", page("acme-core")),
        ("https://pypi.org/simple/ACME__CORE/", page("acme-core")),
        ("https://pypi.org/simple/acmelib/", String::new()),
        ("https://pypi.org/simple/acme/", String::new()),
        ("https://pypi.org/simple/", String::new()),
        ("https://pypi.org/pypi/acme-lib/json", "nowhere".to_owned()),
        ("https://pypi.org/pypi/acme_lib/1.0/json", "nowhere".to_owned()),
        ("https://files.pythonhosted.org/packages/aa/bb/acme_lib-1.0-py3-none-any.whl", "nowhere".to_owned()),
        (
            "https://files.pythonhosted.org/packages/aa/bb/acme_lib-1.0-py3-none-any.whl.metadata",
            "nowhere".to_owned(),
        ),
        ("https://files.pythonhosted.org/packages/aa/bb/six-1.0-py3-none-any.whl", String::new()),
    ] {
        assert_eq!(placed(public), expected, "{public}");
    }
    let p2 = |name: &str| format!("https://composer.acme.example/p2/{name}.json");
    for (public, expected) in [
        ("https://repo.packagist.org/p2/acme/lib.json", p2("acme/lib")),
        ("https://repo.packagist.org/p2/Acme/Lib~dev.json", p2("Acme/Lib~dev")),
        ("https://packagist.org/p2/acme/lib.json", p2("acme/lib")),
        ("https://packagist.org/packages/acme/lib.json", "nowhere".to_owned()),
        ("https://repo.packagist.org/packages.json", String::new()),
        ("https://repo.packagist.org/p2/acmes/lib.json", String::new()),
    ] {
        assert_eq!(placed(public), expected, "{public}");
    }
}

#[test]
fn a_server_offers_it_where_it_offers_what_is_public() {
    let site = Site::new(&url("http://10.0.0.1:8080")).with_private(acme(), Vec::new());
    for (at, expected) in [
        (
            "https://npm.acme.example/repository/npm/@acme/lib/-/lib-1.0.0.tgz",
            "/npm/@acme/lib/-/lib-1.0.0.tgz",
        ),
        ("https://pypi.acme.example/simple/acme-lib/", "/pypi/simple/acme-lib/"),
        ("https://composer.acme.example/p2/acme/lib.json", "/composer/p2/acme/lib.json"),
        // Whoever asks there for these names would be sent elsewhere.
        (
            "https://npm.acme.example/repository/npm/@acme/special-1",
            "/files/npm.acme.example/repository/npm/@acme/special-1",
        ),
        (
            "https://npm.acme.example/repository/npm/left-pad",
            "/files/npm.acme.example/repository/npm/left-pad",
        ),
        ("https://npm.acme.example/other/@acme/lib", "/files/npm.acme.example/other/@acme/lib"),
        ("https://cdn.acme.example/lib.tgz", "/files/cdn.acme.example/lib.tgz"),
        ("https://registry.npmjs.org/left-pad", "/npm/left-pad"),
    ] {
        assert_eq!(site.address(at), Some(format!("http://10.0.0.1:8080{expected}")), "{at}");
    }
}

#[test]
fn what_lies_at_a_private_registry_is_understood_whoever_asks() {
    let class = |text: &str| {
        let (url, headers) = (url(text), HeaderMap::new());
        let head = Head { method: &Method::GET, url: &url, headers: &headers };
        acme().classify(&head).map(|(_, class)| class)
    };
    for (text, subject) in [
        ("https://npm.acme.example/repository/npm/@acme%2flib", "@acme/lib"),
        ("https://pypi.acme.example/simple/acme-lib/", "acme-lib"),
        ("https://composer.acme.example/p2/acme/lib.json", "acme/lib"),
    ] {
        let Some(Class::Index(index)) = class(text) else { panic!("{text} is {:?}", class(text)) };
        assert_eq!(index.subject, subject);
    }
    let tarball = class("https://npm.acme.example/repository/npm/@acme/lib/-/lib-1.0.0.tgz");
    assert!(matches!(tarball, Some(Class::File(_))), "{tarball:?}");
    assert_eq!(class("https://npm.acme.example/repository/npm/left-pad"), None);
}

#[test]
fn a_public_registry_is_told_nothing_of_what_is_private() {
    let check = |name: &str, body: &str, expected: Option<&str>| {
        let told = acme().untold(ecosystem(name), body.as_bytes());
        assert_eq!(
            told.map(|told| String::from_utf8(told.into_owned()).unwrap()).as_deref(),
            expected,
            "{body}"
        );
    };
    check("npm", r#"{"left-pad":["1.3.0"],"@acme/lib":["1.0.0"]}"#, Some(r#"{"left-pad":["1.3.0"]}"#));
    check("npm", r#"{ "left-pad": ["1.3.0"] }"#, Some(r#"{ "left-pad": ["1.3.0"] }"#));
    check(
        "npm",
        r#"{"name":"@acme/app","requires":{"a":"1","acme-tool":"1"},"dependencies":{"a":{"requires":{"@acme/lib":"1"}}}}"#,
        Some(r#"{"dependencies":{"a":{"requires":{}}},"requires":{"a":"1"}}"#),
    );
    check("composer", "packages%5B0%5D=psr%2Flog&packages[]=Acme%2flib", Some("packages%5B0%5D=psr%2Flog"));
    check(
        "composer",
        r#"{"packages":["pkg://composer/acme/lib","pkg:composer/acme/lib@1.0","pkg://composer/psr/log"],"lists":["malware"]}"#,
        Some(r#"{"lists":["malware"],"packages":["pkg://composer/psr/log"]}"#),
    );
    check(
        "composer",
        r#"{"downloads":[{"name":"acme/lib","version":"1"},{"name":"psr/log","version":"3"}]}"#,
        Some(r#"{"downloads":[{"name":"psr/log","version":"3"}]}"#),
    );
    for unclear in ["{", "\u{1f}\u{8b}%zz", "a=%f"] {
        check("npm", unclear, None);
    }
}

#[test]
fn a_mistake_is_one() {
    let new = |name: &str, url: &str| PrivateRegistry::new(ecosystem(name), url).map(|_| ()).unwrap_err();
    for (name, at) in [
        ("npm", "http://npm.acme.example/"),
        ("npm", "npm.acme.example"),
        ("npm", "https://npm.acme.example/?x=1"),
        ("npm", "https://registry.npmjs.org/"),
        ("pypi", "https://pypi.acme.example/"),
    ] {
        assert_eq!(new(name, at), BadRegistry::Url { url: at.to_owned() });
    }
    for name in ["cargo", "generic", "forge"] {
        assert_eq!(new(name, "https://a.example"), BadRegistry::Ecosystem { ecosystem: name.to_owned() });
    }
    let mut all = acme();
    for pattern in ["", "acme", "acme/*x", "acme*/x", "/x", "a b/*", "acme/x/*"] {
        let bad = BadRegistry::Pattern { pattern: pattern.to_owned() };
        assert_eq!(all.name(pattern).unwrap_err(), bad, "{pattern}");
    }
    assert!(matches!(all.name("ACME/*").unwrap_err(), BadRegistry::Twice { .. }));
    all.add(PrivateRegistry::new(ecosystem("pypi"), "https://other.example/+simple/").unwrap());
    assert!(matches!(all.name("acme.core").unwrap_err(), BadRegistry::Twice { .. }), "one name");
    all.name("acme-core-*").unwrap();
    all.add(PrivateRegistry::new(ecosystem("npm"), "https://other.example/").unwrap());
    for pattern in ["acme/*", "acme/lib", "@acme", "@/x"] {
        assert!(matches!(all.name(pattern).unwrap_err(), BadRegistry::Pattern { .. }), "{pattern}");
    }
    all.name("*").unwrap();
}
