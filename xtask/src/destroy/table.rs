//! The table: a row for each way, a column for each tool and server.

use super::play::{Cell, Left};
use super::scene::{Ended, Side};
use super::server;
use super::ways::Way;
use crate::bench::git::keepers::Tool;

pub(super) fn head(sides: &[Side]) -> String {
    let names: Vec<String> = sides.iter().map(|side| format!(" {} |", title(side))).collect();
    format!("| what happens |{}\n|{}\n", names.concat(), " --- |".repeat(sides.len() + 1))
}

pub(super) const fn title((keeper, server): &Side) -> &'static str {
    match (keeper.tool, server) {
        (Tool::Outlast, server::Way::Daemon) => "Outlast, `git daemon`",
        (Tool::Outlast, server::Way::Ssh) => "Outlast, sshd",
        (Tool::Git, _) => "`git remote update --prune`",
        _ => keeper.name(),
    }
}

/// Returns rows that count, for each column, where nothing is lost, and where nothing is as nobody wants it.
pub(super) fn sums(ways: &[&Way], cells: &[Vec<Option<Cell>>]) -> String {
    let sum = |what: &str, is_good: &dyn Fn(&Way, &Cell) -> bool| {
        let counted = (0..cells.first().map_or(0, Vec::len)).map(|side| {
            let all = ways.iter().zip(cells);
            let all: Vec<bool> =
                all.filter_map(|(way, cells)| Some(is_good(way, cells[side].as_ref()?))).collect();
            format!(" {} of {} |", all.iter().filter(|is_good| **is_good).count(), all.len())
        });
        format!("| in all: {what} |{}\n", counted.collect::<String>())
    };
    let keeps = |_: &Way, cell: &Cell| cell.soon.n_lost == 0 && cell.later.n_lost == 0;
    let is_plain = |way: &Way, cell: &Cell| !shown(way, cell).contains("**");
    sum("no commit lost", &keeps) + &sum("nothing bold", &is_plain)
}

pub(super) fn row(way: &Way, cells: &[Option<Cell>]) -> String {
    let shown = |cell: &Option<Cell>| cell.as_ref().map_or_else(String::new, |cell| shown(way, cell));
    let cells: Vec<String> = cells.iter().map(|cell| format!(" {} |", shown(cell))).collect();
    format!("| {} |{}\n", way.name, cells.concat())
}

pub(super) fn shown(way: &Way, cell: &Cell) -> String {
    let left = |left: &Left| {
        let lost = if left.n_lost == 0 { "0".to_owned() } else { format!("**{}**", left.n_lost) };
        format!("{lost}, {}", if left.is_back { "back" } else { "**gone**" })
    };
    let mut text = left(&cell.soon);
    if cell.later != cell.soon {
        text += &format!("; later {}", left(&cell.later));
    }
    let ended = match cell.ended {
        Ended::Code(0) if way.gives_all && cell.is_told => "exit 0".to_owned(),
        Ended::Code(0) => "**exit 0**".to_owned(),
        Ended::Code(_) => "fails".to_owned(),
        Ended::Killed => "killed".to_owned(),
        Ended::Waits => "**waits**".to_owned(),
    };
    text += &format!("; {ended}");
    if cell.is_told {
        text += ", told";
    }
    match cell.mended {
        Some(Ended::Code(0)) | None => {}
        Some(Ended::Code(_)) => text += "; **then fails**",
        Some(_) => text += "; **then waits**",
    }
    text
}
