//! What git is told by variables.

use super::*;

#[test]
fn git_settings_of_the_caller_come_first() {
    let own = [("GIT_CONFIG_COUNT", "2"), ("GIT_CONFIG_KEY_0", "a.b"), ("GIT_CONFIG_KEY_1", "c.d")];
    check(
        &observed(),
        &own,
        &[],
        &[
            ("GIT_CONFIG_COUNT", Some("3")),
            ("GIT_CONFIG_KEY_0", None),
            ("GIT_CONFIG_KEY_1", None),
            ("GIT_CONFIG_KEY_2", Some("http.proxy")),
        ],
    );
    // git refuses this by itself, and must go on doing so.
    check(&observed(), &[("GIT_CONFIG_COUNT", "many")], &[], &[("GIT_CONFIG_COUNT", None)]);
    check(&SEALED, &own, &[], &[("GIT_CONFIG_COUNT", None)]);
}

#[test]
fn git_asks_a_forge_over_https_in_a_sealed_room_alone() {
    let sealed = Tier::Sealed { forges: vec!["forge.example".to_owned()] };
    let own = [("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "a.b"), ("GIT_CONFIG_VALUE_0", "c")];
    let git = [("/home/me/.gitconfig", "[http]\n\tproxy = http://p:1\n")];
    let key = Some("url.https://forge.example/.insteadOf");
    check(
        &sealed,
        &own,
        &git,
        &[
            ("GIT_CONFIG_COUNT", Some("6")),
            ("GIT_CONFIG_KEY_0", None),
            ("GIT_CONFIG_KEY_1", key),
            ("GIT_CONFIG_VALUE_1", Some("git@forge.example:")),
            ("GIT_CONFIG_VALUE_2", Some("git@forge.example:/")),
            ("GIT_CONFIG_VALUE_3", Some("ssh://git@forge.example/")),
            ("GIT_CONFIG_KEY_4", key),
            ("GIT_CONFIG_VALUE_4", Some("ssh://git@forge.example:22/")),
            ("GIT_CONFIG_KEY_5", Some("http.proxy")),
        ],
    );
    check(&sealed, &[("GIT_CONFIG_COUNT", "many")], &[], &[("GIT_CONFIG_COUNT", None)]);
    check(&Tier::Observed { proxy: None }, &own, &[], &[("GIT_CONFIG_COUNT", None)]);
    check(&observed(), &own, &[], &[("GIT_CONFIG_COUNT", Some("2"))]);
}

#[test]
fn what_leads_to_ssh_is_led_back_with_one_letter_more() {
    let sealed = Tier::Sealed { forges: vec!["forge.example".to_owned()] };
    let undone = |base: &str, beginning: &str| {
        let key = format!("url.{base}.insteadof");
        let own = [
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", key.as_str()),
            ("GIT_CONFIG_VALUE_0", beginning),
        ];
        let settings = of(&sealed, &own, Memory::default());
        let set = variables(&settings);
        let get = |name| set.get(name).copied().unwrap_or_default().to_owned();
        (get("GIT_CONFIG_KEY_5"), get("GIT_CONFIG_VALUE_5"))
    };
    let led = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let https = "https://forge.example/";
    assert_eq!(
        undone("git@forge.example:", https),
        led("url.https://forge.example/a.insteadOf", "https://forge.example/a")
    );
    assert_eq!(undone("git@forge.example:/x/", "x:"), led("url.https://forge.example/x/a.insteadOf", "x:a"));
    assert_eq!(undone("ssh://git@forge.example:22/", https).0, "url.https://forge.example/a.insteadOf");
    for other in ["git@other.example:", "https://forge.example/mirror/", "git@forge.example.org:"] {
        assert_eq!(undone(other, https), led("", ""), "{other}");
    }
}
