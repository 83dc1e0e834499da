//! A release that was held before anybody knew that it is hostile.

use super::{INSTALL, Scene};

#[test]
fn what_is_blocked_is_refused_to_composer_with_the_reason() {
    let scene = Scene::new();
    scene.exec(&["composer", "update", "--no-interaction", "--no-progress"]).expect(0);
    let address = scene.upstream.tls_address().to_string();
    let block = |versions: &str| {
        scene.world.configure(&format!(
            "{}[[block]]\necosystem = \"composer\"\nname = \"acme/lib-3\"\nversions = [\"{versions}\"]\n\
             reason = \"MAL-2026-7, found on 2026-05-21\"\n",
            scene.upstreams_at(&address)
        ));
        scene.forget();
        scene.exec(&INSTALL)
    };
    let refused = block("1.0.0");
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("MAL-2026-7, found on 2026-05-21"), "{}", refused.stderr);
    assert!(!scene.world.project().join("vendor/acme/lib-3/composer.json").exists(), "{}", refused.stderr);
    // The control: another version is blocked; and nothing was lost.
    block("1.0.1").expect(0);
    assert!(scene.world.project().join("vendor/acme/lib-3").exists());
}
