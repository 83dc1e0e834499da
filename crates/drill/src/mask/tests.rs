//! What is hidden, and what must not be.

use super::*;

fn with(variables: &'static [(&'static str, &'static str)]) -> Vec<Mask> {
    let homes = [PathBuf::from("/home/kim")];
    let project = Path::new("/home/kim/work/shop");
    let place = Place { homes: &homes, project, files: &[], directory: project };
    let lookup =
        move |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
    masks(&place, &lookup, &|_| None)
}

fn has(masks: &[Mask], path: &str) -> bool {
    masks.iter().any(|mask| mask.path == Path::new(path))
}

#[test]
fn the_default_folders_are_hidden() {
    let masks = with(&[]);
    let check = |path: &str| assert!(has(&masks, path), "{path}");
    for path in [".npm", ".cargo/registry", ".cargo/git", ".cache", ".m2/repository", "go/pkg/mod"] {
        check(&format!("/home/kim/{path}"));
    }
    for path in [".cargo", ".cargo/bin", ".rustup", ".gradle", "go", "go/bin", ".local", ".ssh", ""] {
        assert!(!has(&masks, &format!("/home/kim/{path}")), "{path} is no cache");
    }
}

#[test]
fn a_moved_cache_is_hidden_where_it_is_and_where_it_was() {
    let check = |variables: &'static [(&'static str, &'static str)], expected: &[&str]| {
        let masks = with(variables);
        for path in expected {
            assert!(has(&masks, path), "{variables:?} must hide {path}");
        }
        assert!(has(&masks, "/home/kim/.npm"), "the default stays hidden");
    };
    check(&[("npm_config_cache", "/fast/npm")], &["/fast/npm"]);
    check(&[("CARGO_HOME", "/fast/cargo")], &["/fast/cargo/registry", "/fast/cargo/git"]);
    check(&[("XDG_CACHE_HOME", "/fast/cache")], &["/fast/cache", "/home/kim/.cache"]);
    check(&[("GOPATH", "/a:/b")], &["/a/pkg/mod", "/b/pkg/mod"]);
    check(&[("GRADLE_USER_HOME", "/g")], &["/g/caches", "/g/wrapper/dists"]);
}

#[test]
fn nothing_larger_than_a_cache_is_hidden() {
    let check = |variables: &'static [(&'static str, &'static str)]| {
        assert_eq!(with(variables), with(&[]), "{variables:?}");
    };
    check(&[("PIP_CACHE_DIR", "/")]);
    check(&[("PIP_CACHE_DIR", "/home")]);
    check(&[("PIP_CACHE_DIR", "/home/kim")]);
    check(&[("PIP_CACHE_DIR", "/home/kim/work")]);
    check(&[("PIP_CACHE_DIR", "/home/kim/work/shop")]);
    check(&[("PIP_CACHE_DIR", "/usr")]);
    check(&[("PIP_CACHE_DIR", "/home/kim/x/../..")]);
    check(&[("PIP_CACHE_DIR", "")]);
    check(&[("PIP_CACHE_DIR", "cache")]);
}

#[test]
fn what_node_finds_around_the_project_is_hidden() {
    let masks = with(&[]);
    let check = |folder: &str, expected: bool| assert_eq!(has(&masks, folder), expected, "{folder}");
    check("/home/kim/work/node_modules", true);
    check("/home/kim/node_modules", true);
    check("/home/kim/.node_modules", true);
    check("/home/node_modules", true);
    check("/node_modules", true);
    check("/home/kim/work/.pnpm-store", true);
    check("/home/kim/work/shop/node_modules", false);
    for mask in &masks {
        let is_of_node = mask.path.to_str().unwrap().contains("/node_modules");
        assert!(!is_of_node || mask.is_left_out_when_absent(), "{mask:?} would make a project of a folder");
    }
    assert!(masks.iter().any(|mask| !mask.is_left_out_when_absent()));
}

#[test]
fn masks_are_sorted_and_named_once() {
    let masks = with(&[("npm_config_cache", "/home/kim/.npm"), ("NPM_CONFIG_CACHE", "/home/kim/.npm")]);
    assert!(masks.is_sorted());
    assert_eq!(masks.iter().filter(|mask| mask.path.ends_with(".npm")).count(), 1);
    let masks = with(&[("PIP_CACHE_DIR", "/home/kim/.cache/pip"), ("UV_CACHE_DIR", "/home/kim/.cacheable")]);
    assert!(!has(&masks, "/home/kim/.cache/pip"), "hidden with the folder around it");
    assert!(has(&masks, "/home/kim/.cacheable"), "a longer name is another folder");
    assert!(machine_masks().iter().all(|mask| mask.path.is_absolute()));
}

#[test]
fn every_client_of_the_list_hides_something() {
    for client in &ALL {
        assert!(!client.folders.is_empty() || !client.variables.is_empty(), "{}", client.name);
        for folder in client.folders {
            assert!(!folder.starts_with('/') && !folder.ends_with('/'), "{folder}");
        }
    }
}
