use super::*;

/// Longer than anybody here has to wait.
const SOON: Duration = Duration::from_secs(30);

/// Makes an answer of which the disk takes so much.
fn flight(capacity: u64) -> Arc<Flight> {
    let folder = tempfile::tempdir().unwrap();
    Arc::new(Flight { pace: Duration::from_millis(100), ..Flight::new(folder.path(), capacity).unwrap() })
}

/// Returns bytes of which no two pieces are alike.
fn noise(n_bytes: usize) -> Vec<u8> {
    std::iter::repeat_with(|| fastrand::u8(..)).take(n_bytes).collect()
}

/// Writes a part of an answer in pieces, as git does; returns whether somebody wanted all of it.
fn part(flight: &Arc<Flight>, bytes: &[u8]) -> std::thread::JoinHandle<bool> {
    let (flight, bytes) = (flight.clone(), bytes.to_vec());
    std::thread::spawn(move || bytes.chunks(50_000).all(|piece| flight.push(piece, &mut Some(())).unwrap()))
}

/// Writes the last part of one.
fn rest(flight: &Arc<Flight>, bytes: &[u8]) -> std::thread::JoinHandle<bool> {
    let (flight, writing) = (flight.clone(), part(flight, bytes));
    std::thread::spawn(move || {
        let is_wanted = writing.join().unwrap();
        flight.finish(End::Whole);
        is_wanted
    })
}

async fn all(mut reader: Reader) -> Result<Vec<u8>, ReadError> {
    let mut read = Vec::new();
    while let Some(piece) = tokio::time::timeout(SOON, reader.next()).await.expect("it ends") {
        read.extend_from_slice(&piece?);
    }
    Ok(read)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_has_the_same_bytes_whenever_it_comes() {
    let (flight, bytes) = (flight(1 << 30), noise(1 << 20));
    let [first, second] = [(); 2].map(|()| flight.join().unwrap());
    let writing = rest(&flight, &bytes);
    assert!(all(first).await.unwrap() == bytes);
    assert!(writing.join().unwrap(), "nobody waits for the one that takes nothing");
    // Who made it begin is gone, and one that comes when it is whole has it too.
    assert!(all(flight.join().unwrap()).await.unwrap() == bytes);
    assert!(all(second).await.unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_when_the_last_client_is_gone() {
    let flight = flight(1 << 30);
    let [first, second] = [(); 2].map(|()| flight.join().unwrap());
    drop(first);
    let mut deserted = Box::pin(flight.deserted());
    let soon = Duration::from_millis(50);
    tokio::time::timeout(soon, &mut deserted).await.expect_err("the control: one is left");
    assert!(flight.push(b"more", &mut Some(())).unwrap());
    drop(second);
    tokio::time::timeout(SOON, deserted).await.unwrap();
    assert!(flight.join().is_none(), "nobody writes it any more");
    assert!(!flight.push(b"more", &mut Some(())).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_grows_too_large_is_not_joined_any_more() {
    let (flight, bytes) = (flight(200_000), noise(1 << 20));
    let [first, second] = [(); 2].map(|()| flight.join().unwrap());
    assert!(part(&flight, &bytes[..200_000]).join().unwrap());
    assert!(flight.join().is_some(), "the control: it is not too large yet");
    let writing = rest(&flight, &bytes[200_000..]);
    let (first, second) = tokio::join!(all(first), all(second));
    assert!(first.unwrap() == bytes && second.unwrap() == bytes);
    assert!(writing.join().unwrap());
    assert!(flight.join().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_holds_up_the_others_for_a_while_only() {
    let (flight, bytes) = (flight(200_000), noise(1 << 20));
    let [first, second] = [(); 2].map(|()| flight.join().unwrap());
    let writing = rest(&flight, &bytes);
    assert!(all(first).await.unwrap() == bytes);
    assert!(writing.join().unwrap());
    assert!(matches!(all(second).await, Err(ReadError::Slow)), "half of it is not all");
}

#[test]
fn a_program_that_waits_for_clients_keeps_no_core_busy() {
    let flight = flight(100);
    let reader = flight.join().unwrap();
    let mut turn = Some(());
    assert!(flight.push(&[7; 100], &mut turn).unwrap());
    assert!(turn.is_some(), "the control: it did not wait");
    let writing = std::thread::spawn({
        let flight = flight.clone();
        move || (flight.push(&[7], &mut turn).unwrap(), turn)
    });
    assert_eq!(writing.join().unwrap(), (false, None));
    drop(reader);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_breaks_no_answer() {
    let (flight, bytes) = (Arc::new(Flight::new(Path::new("/nowhere"), 1 << 30).unwrap()), noise(3 << 20));
    let [first, second] = [(); 2].map(|()| flight.join().unwrap());
    let writing = rest(&flight, &bytes);
    let (first, second) = tokio::join!(all(first), all(second));
    assert!(first.unwrap() == bytes && second.unwrap() == bytes);
    assert!(writing.join().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_in_the_middle_breaks_no_answer() {
    let (flight, bytes) = (flight(1 << 30), noise(3 << 20));
    let [first, second] = [(); 2].map(|()| flight.join().unwrap());
    assert!(part(&flight, &bytes[..1 << 19]).join().unwrap());
    let writing = std::thread::spawn({
        let (flight, bytes) = (flight.clone(), bytes.clone());
        move || {
            let full = io::ErrorKind::StorageFull.into();
            let is_wanted = flight.turn_to_memory(1 << 19, &full, &mut Some(())).unwrap();
            is_wanted && rest(&flight, &bytes[1 << 19..]).join().unwrap()
        }
    });
    let (first, second) = tokio::join!(all(first), all(second));
    assert!(first.unwrap() == bytes && second.unwrap() == bytes);
    assert!(writing.join().unwrap());
    assert!(flight.join().is_none(), "its beginning is not there any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_answer_ends_with_an_error_for_everybody() {
    let flight = flight(1 << 30);
    let [first, second] = [(); 2].map(|()| flight.join().unwrap());
    assert!(flight.push(b"half", &mut Some(())).unwrap());
    flight.finish(End::Broken(Arc::new(ProcessError::Untaken { program: "git".to_owned() })));
    flight.finish(End::Whole);
    assert!(flight.join().is_none());
    for mut reader in [first, second] {
        assert_eq!(reader.next().await.unwrap().unwrap(), "half");
        assert!(matches!(reader.next().await, Some(Err(ReadError::Broken(_)))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_keeps_nothing_on_the_disk() {
    let (flight, bytes) = (flight(1 << 30), noise(1 << 20));
    let (mut stalled, quick) = (flight.join().unwrap(), flight.join().unwrap());
    rest(&flight, &bytes).join().unwrap();
    assert!(all(quick).await.unwrap() == bytes);
    assert!(flight.leave_behind(SOON).unwrap(), "the control: it is waited for");
    assert!(!flight.lock().ring.is_in_memory);
    assert!(!flight.leave_behind(Duration::ZERO).unwrap(), "nobody is left");
    assert!(flight.lock().ring.is_in_memory && flight.join().is_none());
    assert!(stalled.next().await.unwrap().is_err());
}
