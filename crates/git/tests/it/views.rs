//! Repositories beside one, as it was at other moments.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use git::{Bare, Git, view};

#[test]
fn what_nobody_asks_for_goes_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let bare = Bare::lock(&Git::new("/usr/bin:/bin"), folder.path()).unwrap();
    bare.lay_out("sha1").unwrap();
    let of = |letter: &str| {
        let target = letter.repeat(40).parse().unwrap();
        BTreeMap::from([("refs/heads/main".parse().unwrap(), target)])
    };
    let old = view(folder.path(), &of("a"), "sha1").unwrap();
    let asked_for = view(folder.path(), &of("b"), "sha1").unwrap();
    #[expect(clippy::disallowed_methods, reason = "files are dated by the system's clock")]
    let long_ago = SystemTime::now() - Duration::from_secs(8 * 86_400);
    fs::write(folder.path().join("at/left.archive"), b"").unwrap();
    for path in
        [old.join("outlast.asked"), asked_for.join("outlast.asked"), folder.path().join("at/left.archive")]
    {
        File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    // The control: whoever is asked for stays.
    assert_eq!(view(folder.path(), &of("b"), "sha1").unwrap(), asked_for);
    view(folder.path(), &of("c"), "sha1").unwrap();
    assert_eq!((old.exists(), asked_for.exists()), (false, true));
    assert!(!folder.path().join("at/left.archive").exists());
    assert_eq!(view(folder.path(), &of("a"), "sha1").unwrap(), old);
    assert!(old.join("HEAD").exists());
}
