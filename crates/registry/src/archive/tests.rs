//! Archives made here, and damaged in every way.

use std::io::{Cursor, Write as _};

use ::zip::write::{SimpleFileOptions, ZipWriter};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

const FILES: [(&str, &str); 3] = [("a.txt", "alpha"), ("src/b.php", "<?php\n"), ("src/c", "")];

fn zip_of(top: &str, files: &[(&str, &str)], is_stored: bool) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let method =
        if is_stored { ::zip::CompressionMethod::Stored } else { ::zip::CompressionMethod::Deflated };
    for (name, text) in files {
        let options = SimpleFileOptions::default().compression_method(method).unix_permissions(0o644);
        writer.start_file(format!("{top}{name}"), options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn tar_of(top: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for (name, text) in files {
        let mut header = ::tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, format!("{top}{name}"), text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip_of(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tree_of(bytes: &[u8]) -> Result<Sha256, ArchiveError> {
    tree(&mut Cursor::new(bytes))
}

fn is_whole(bytes: &[u8]) -> Completeness {
    completeness(&mut Cursor::new(bytes)).unwrap()
}

#[test]
fn the_same_content_has_the_same_tree_however_it_is_packed() {
    let mut reversed = FILES;
    reversed.reverse();
    let expected = tree_of(&zip_of("repo-1234567/", &FILES, false)).unwrap();
    for same in [
        zip_of("repo-1234567/", &FILES, true),
        zip_of("other-name/", &reversed, false),
        zip_of("", &FILES, false),
        tar_of("repo/", &FILES),
        gzip_of(&tar_of("./repo/", &FILES)),
    ] {
        assert_eq!(tree_of(&same).unwrap(), expected);
    }
    for (name, text) in [("a.txt", "Alpha"), ("b.txt", "alpha")] {
        let other = [(name, text), FILES[1], FILES[2]];
        assert_ne!(tree_of(&zip_of("repo/", &other, false)).unwrap(), expected, "{name} {text}");
    }
    assert_ne!(tree_of(&zip_of("repo/", &FILES[..2], false)).unwrap(), expected, "a file is missing");
    assert_ne!(
        tree_of(&zip_of("repo/", &[FILES[0]], false)).unwrap(),
        tree_of(&zip_of("", &[("b", "alpha")], false)).unwrap()
    );
}

#[test]
fn an_executable_and_a_link_are_not_plain_files() {
    let with = |mode: u32, kind: ::tar::EntryType| {
        let mut builder = ::tar::Builder::new(Vec::new());
        let mut header = ::tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(0);
        if kind == ::tar::EntryType::Symlink {
            builder.append_link(&mut header, "x/a", "b").unwrap();
        } else {
            builder.append_data(&mut header, "x/a", io::empty()).unwrap();
        }
        tree_of(&builder.into_inner().unwrap()).unwrap()
    };
    let plain = with(0o644, ::tar::EntryType::Regular);
    assert_eq!(with(0o600, ::tar::EntryType::Regular), plain, "who may read it is not content");
    assert_ne!(with(0o755, ::tar::EntryType::Regular), plain);
    assert_ne!(with(0o644, ::tar::EntryType::Symlink), plain);
}

#[test]
fn every_cut_is_seen() {
    let check = |what: &str, bytes: &[u8]| {
        assert_eq!(is_whole(bytes), Completeness::Whole, "{what}");
        for cut in 600..bytes.len() {
            assert_eq!(is_whole(&bytes[..cut]), Completeness::Cut, "{what} cut at {cut} of {}", bytes.len());
        }
    };
    let noise: String = (0..400).map(|n: u32| format!("{:x}", n.wrapping_mul(2_654_435_761))).collect();
    let files = [("a", noise.as_str()), ("b", "x")];
    check("zip", &zip_of("r/", &files, false));
    check("tar", &tar_of("r/", &files));
    check("tar.gz", &gzip_of(&tar_of("r/", &files)));
    assert_eq!(is_whole(b"plain text"), Completeness::Unknown);
    assert_eq!(is_whole(b""), Completeness::Unknown);
    let mut flipped = gzip_of(&tar_of("r/", &files));
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    assert_eq!(is_whole(&flipped), Completeness::Cut, "its sum is wrong");
}

#[test]
fn what_leads_out_is_refused() {
    for name in ["../a", "a/../../b", "/etc/passwd", "a\\b", "C:evil", "x/.."] {
        let zip = zip_of("", &[(name, "x")], false);
        assert!(matches!(tree_of(&zip), Err(ArchiveError::Name { .. })), "{name}");
        let mut builder = ::tar::Builder::new(Vec::new());
        let mut header = ::tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(0);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, io::empty()).unwrap();
        let got = tree_of(&builder.into_inner().unwrap());
        assert!(matches!(got, Err(ArchiveError::Name { .. })), "{name} {got:?}");
    }
}

#[test]
fn two_entries_of_one_name_are_refused() {
    let twice = [("a", "one"), ("a", "two")];
    assert!(matches!(tree_of(&tar_of("", &twice)), Err(ArchiveError::Twice { .. })));
    assert!(matches!(tree_of(&tar_of("", &[("a", "one"), ("./a", "one")])), Err(ArchiveError::Twice { .. })));
    // No writer makes such a zip, so one name is changed into the other.
    let mut zip = zip_of("", &[("a1", "one"), ("a2", "two")], true);
    for at in 0..zip.len() - 1 {
        if zip[at..at + 2] == *b"a2" {
            zip[at + 1] = b'1';
        }
    }
    assert!(matches!(tree_of(&zip), Err(ArchiveError::Twice { .. })));
}

#[test]
fn a_bomb_is_refused_while_it_unpacks() {
    let zeros = "\0".repeat(20 << 20);
    let zip = zip_of("", &[("a", zeros.as_str())], false);
    assert!(zip.len() < 64 << 10);
    assert!(matches!(tree_of(&zip), Err(ArchiveError::Bomb)));
    let gzip = gzip_of(zeros.as_bytes());
    assert_eq!(is_whole(&gzip), Completeness::Cut, "what is no reasonable archive is not believed");
}

/// A tar of one entry of this kind with a body of `n_bytes`, and of a small file after it.
fn tar_with(kind: ::tar::EntryType, n_bytes: usize) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    let mut header = ::tar::Header::new_gnu();
    header.as_mut_bytes()[..1].copy_from_slice(b"x");
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(n_bytes as u64);
    header.set_cksum();
    builder.append(&header, "a".repeat(n_bytes).as_bytes()).unwrap();
    header.as_mut_bytes()[..1].copy_from_slice(b"y");
    header.set_entry_type(::tar::EntryType::Regular);
    header.set_size(0);
    header.set_cksum();
    builder.append(&header, io::empty()).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn what_a_tar_says_before_an_entry_is_never_read_at_length() {
    use ::tar::EntryType::{GNULongLink, GNULongName, XHeader};
    for kind in [GNULongName, GNULongLink, XHeader] {
        let got = tree_of(&gzip_of(&tar_with(kind, 4096)));
        assert!(got.is_ok(), "{kind:?} as long as any path: {got:?}");
        let got = tree_of(&gzip_of(&tar_with(kind, 100 << 10)));
        assert!(matches!(got, Err(ArchiveError::Bomb)), "{kind:?} {got:?}");
    }
}

#[test]
fn bodies_that_nobody_needs_are_bounded_too() {
    use ::tar::EntryType::{Directory, Link, Symlink, XGlobalHeader};
    for kind in [Directory, Link, Symlink, XGlobalHeader] {
        let bomb = gzip_of(&tar_with(kind, 20 << 20));
        assert!(bomb.len() < 64 << 10);
        let got = tree_of(&bomb);
        assert!(matches!(got, Err(ArchiveError::Bomb)), "{kind:?} {got:?}");
    }
}

#[test]
fn names_have_a_bound_of_their_own() {
    let mut tree = Tree::of(u64::MAX);
    tree.names_left = Budget { bytes: 5 };
    tree.add(b"ab".to_vec(), Content::Folder).unwrap();
    let link = Content::Link { target: b"xyz".to_vec() };
    assert!(matches!(tree.add(b"c".to_vec(), link), Err(ArchiveError::Bomb)));
}

#[test]
fn no_damage_makes_it_panic() {
    let seed = 11;
    let mut random = fastrand::Rng::with_seed(seed);
    let archives = [
        zip_of("r/", &FILES, false),
        tar_of("r/", &FILES),
        gzip_of(&tar_of("r/", &FILES)),
        b"PK\x03\x04".to_vec(),
    ];
    for round in 0..3000 {
        let mut bytes = archives[round % archives.len()].clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..bytes.len());
            match random.u8(0..3) {
                0 => bytes[at] = random.u8(..),
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, random.u8(..)),
            }
        }
        drop(tree_of(&bytes));
        drop(completeness(&mut Cursor::new(&bytes)));
    }
}

#[test]
fn what_is_no_archive_has_no_tree() {
    assert!(matches!(tree_of(b"plain"), Err(ArchiveError::Kind)));
    let zip = zip_of("r/", &FILES, false);
    assert!(matches!(tree_of(&zip[..zip.len() / 2]), Err(ArchiveError::Broken { .. })));
    assert!(tree_of(&gzip_of(b"not a tar")).is_err());
}
