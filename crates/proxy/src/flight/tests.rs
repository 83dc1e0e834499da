//! Who reads what of a transfer.

use super::*;

async fn read_all(mut reader: FlightReader) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(bytes) = reader.next().await? {
        all.extend_from_slice(&bytes);
    }
    Ok(all)
}

fn failed() -> End {
    End::Failed { refusal: Arc::new(Refusal::unavailable("cut".to_owned())), sha256: None }
}

fn passed() -> End {
    End::Passed {
        status: StatusCode::OK,
        headers: Arc::default(),
        body: Bytes::new(),
        size_bytes: 0,
        reason: "test".into(),
    }
}

#[tokio::test]
async fn followers_read_everything_from_memory_and_file() {
    let mut file = tempfile::tempfile().unwrap();
    let flight = Arc::new(Flight::new());
    flight.attach(file.try_clone().unwrap());
    let early = tokio::spawn(read_all(flight.reader(0, None)));
    let mut expected = Vec::new();
    for n in 0..24_u8 {
        let chunk = Bytes::from(vec![n; 300_000]);
        io::Write::write_all(&mut file, &chunk).unwrap();
        expected.extend_from_slice(&chunk);
        flight.push(chunk, FileState::Written).await;
    }
    assert!(flight.in_memory().is_none(), "7 MB do not stay in memory");
    let late = tokio::spawn(read_all(flight.reader(0, None)));
    let part = tokio::spawn(read_all(flight.reader(299_999, Some(300_002))));
    tokio::task::yield_now().await;
    assert!(!part.is_finished(), "it could still turn out to be wrong");
    flight.finish(passed());
    assert_eq!(early.await.unwrap().unwrap(), expected);
    assert_eq!(late.await.unwrap().unwrap(), expected);
    assert_eq!(part.await.unwrap().unwrap(), [0, 1, 1]);
}

#[tokio::test]
async fn without_a_disk_clients_still_get_every_byte() {
    let flight = Arc::new(Flight::new());
    let reader = tokio::spawn(read_all(flight.reader(0, None)));
    for n in 0..24_u8 {
        flight.push(Bytes::from(vec![n; 300_000]), FileState::Failed).await;
    }
    flight.finish(passed());
    assert_eq!(reader.await.unwrap().unwrap().len(), 24 * 300_000);
    assert!(read_all(flight.reader(0, None)).await.is_err(), "who comes too late must not get a part");
}

#[tokio::test]
async fn a_failed_transfer_breaks_for_its_clients() {
    let flight = Arc::new(Flight::new());
    flight.push(Bytes::from_static(b"half"), FileState::Failed).await;
    let part = tokio::spawn(read_all(flight.reader(0, Some(2))));
    flight.finish(failed());
    assert!(read_all(flight.reader(0, None)).await.is_err());
    assert!(part.await.unwrap().is_err(), "a part of it neither");
}

#[tokio::test]
async fn only_who_does_not_read_is_left_behind() {
    let flight = Arc::new(Flight::new());
    let (_stuck, mut reading) = (flight.reader(0, None), flight.reader(0, None));
    flight.push(Bytes::from_static(b"first"), FileState::Failed).await;
    assert_eq!(reading.next().await.unwrap().unwrap(), "first");
    flight.lock().leave_behind();
    let places = flight.lock().readers.iter().filter_map(Weak::upgrade).collect::<Vec<_>>();
    assert_eq!(places.iter().map(|place| place.load(Ordering::Relaxed)).collect::<Vec<_>>(), [5]);
}
