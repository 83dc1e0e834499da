//! A copy is what lies in its folder: a link in it leads to bytes that somebody else looks after.

use std::fs;
use std::os::unix::fs::symlink;

use model::Sha256;
use store::{CopyError, Look};

use super::{assert_same, copy};
use crate::world::*;

#[test]
fn a_link_in_place_of_a_folder_of_its_own_is_refused() {
    let (home, second, elsewhere) = (Home::new(), Home::new(), Home::new());
    let store = home.open();
    keep(&store, "a", b"bytes");
    copy(&store, &second, Look::There).unwrap();
    let hex = Sha256::of(b"bytes").to_string();
    let (first, leaf) = (format!("blobs/{}", &hex[..2]), format!("blobs/{}/{}", &hex[..2], &hex[2..4]));
    for name in ["journal", "blobs", &first, &leaf] {
        let (own, other) = (second.path().join(name), elsewhere.path().join("moved"));
        fs::rename(&own, &other).unwrap();
        symlink(&other, &own).unwrap();
        keep(&store, name, name.as_bytes());
        let refused = copy(&store, &second, Look::There).unwrap_err();
        assert!(matches!(refused, CopyError::Link { .. }), "{name}: {refused}");
        assert!(
            refused.to_string().contains(&format!("a link where its folder `{name}` belongs")),
            "{refused}"
        );
        fs::remove_file(&own).unwrap();
        fs::rename(&other, &own).unwrap();
        copy(&store, &second, Look::There).unwrap();
        assert_same(&store, &second);
    }
}

#[test]
fn a_link_in_place_of_a_closed_segment_is_none() {
    let (home, second, elsewhere) = (Home::new(), Home::new(), Home::new());
    let store = home.open();
    super::work(&store, 8);
    let closed = home.closed_segments().pop().unwrap();
    let own = second.path().join("journal").join(closed.file_name().unwrap());
    let other = elsewhere.path().join("segment");
    fs::copy(&closed, &other).unwrap();
    fs::create_dir(second.path().join("journal")).unwrap();
    symlink(&other, &own).unwrap();
    copy(&store, &second, Look::There).unwrap();
    assert!(fs::symlink_metadata(&own).unwrap().is_file());
    assert_same(&store, &second);
}
