//! This machine: its disk, its clock, and whether it can make a room.

use std::time::Duration;

use drill::State;
use intercept::{Authority, CallerTrust};
use sandbox::{RoomError, Stdout};
use store::Store;

use super::Chart;
use crate::authority;
use crate::failure::Failure;
use crate::home::Home;
use crate::speak::size;
use crate::tasks::room::{self, Order};

/// Less than this is soon full.
const FREE_BYTES_MIN: u64 = 2_000_000_000;
/// Less than one part in so many is soon full on a large disk.
const PART_FREE_MIN: u64 = 20;
/// Clocks that are set over the network differ by less.
pub(super) const CLOCK_MAX: Duration = Duration::from_secs(60);

/// Looks how much space is left for what is new.
pub(super) fn disk(chart: &mut Chart, home: &Home) {
    let subject = home.path.display().to_string();
    match host::file::free_bytes(&home.path) {
        Ok((free, all)) if free < FREE_BYTES_MIN.min(all / 2) || free < all / PART_FREE_MIN => {
            let detail =
                format!("{} of {} are free on its disk: soon nothing new can be kept", size(free), size(all));
            let mend = "free some space there, or move the home to a larger disk (`cp -a`, then --home); nothing that is kept is evicted";
            chart.find(State::Lost, "disk_full", subject, detail, mend);
        }
        Ok(_) => {}
        Err(error) => {
            let mend = "check the disk that holds Outlast's home folder";
            chart.find(State::Unknown, "disk_not_read", subject, error.to_string(), mend);
        }
    }
    chart.look_at("the disk");
}

/// Looks whether time has gone back since the journal was written.
pub(super) fn clock(chart: &mut Chart, home: &Home, store: &Store) -> Result<(), Failure> {
    let newest = store.newest()?.map(|entry| entry.time);
    let now = home.clock.now();
    if let Some(newest) =
        newest.filter(|newest| newest.duration_since(now) > CLOCK_MAX.try_into().unwrap_or_default())
    {
        let detail = format!(
            "it says {now}, and the journal's newest entry is of {newest}: evidence would be dated wrongly"
        );
        chart.find(State::Lost, "clock", "this machine's clock", detail, "set it: timedatectl set-ntp true");
    }
    chart.look_at("the clock");
    Ok(())
}

/// Looks whether clients of the forward proxy can go on trusting what they were told to trust.
pub(super) fn authority(chart: &mut Chart, home: &Home) {
    let (subject, now) = ("the forward proxy's authority", home.clock.now());
    let mend = "outlast serve --proxy-listen IP:PORT makes it anew; then each client fetches `ca.pem` again as `/setup` says";
    match authority::root(home) {
        Ok(None) => return,
        Ok(Some(root)) if root.ends_at() <= now => {
            let detail =
                format!("it ended on {}: no client trusts the proxy", root.ends_at().strftime("%Y-%m-%d"));
            chart.find(State::Lost, "certificate", subject, detail, mend);
        }
        Ok(Some(root)) if root.is_due(now) => {
            let end = root.ends_at().strftime("%Y-%m-%d");
            let detail = format!("it ends on {end}, and no server has made it anew");
            chart.find(State::Claimed, "certificate", subject, detail, mend);
        }
        Ok(Some(_)) => {}
        Err(error) => {
            let mend = "mend `keys/ca.key` and `keys/ca.pem`, or move both away: then another one is made, which clients have to trust anew";
            chart.find(State::Unknown, "certificate_not_read", subject, format!("{error:#}"), mend);
        }
    }
    chart.look_at("the forward proxy's authority");
}

/// Makes a room, without which no drill proves anything.
pub(super) async fn room(chart: &mut Chart, home: &Home, store: &Store) -> Result<(), Failure> {
    let order = Order { stdout: Stdout::Own, ..Order::here(vec!["true".into()])? };
    let caller = order.caller();
    let authority = Authority::new(home.clock.now(), "Outlast, doctor", None).map_err(Failure::no)?;
    let settings = room::settings(home, store, &caller)?;
    let plan = room::sealed(home, &order, &settings, &CallerTrust::read(&caller), &authority);
    let helper = std::env::current_exe().map_err(Failure::no)?;
    let mend =
        "docs/OPERATING.md, Troubleshooting, has what each system needs: user namespaces must be allowed";
    match sandbox::open(&plan, &helper).await {
        Ok(room) => drop(room),
        Err(RoomError::NotPossible { why }) => {
            let detail = format!("it allows no sealed room ({why}): no drill can pass here");
            chart.find(State::Lost, "no_room", "this machine", detail, mend);
        }
        Err(error) => chart.find(State::Unknown, "room_not_tried", "this machine", error.to_string(), mend),
    }
    chart.look_at("whether a room can be made");
    Ok(())
}
