//! Chooses the columns that fit the width of the screen, and their widths.

use crate::command::top::fitting;
use crate::command::top::power_history::SLOTS;
use crate::command::top::rows::{Kind, Row};

/// Columns of the bar that shows a share of the host's power.
pub(super) const BAR: usize = 8;

/// Narrowest name beside its state and power. Below this width, the state becomes a mark before the name.
const NARROW_NAME: usize = 10;

/// Narrowest name of all.
const NARROWEST_NAME: usize = 4;

/// Names up to this width are shown whole before columns of less than [`USEFUL`] are shown.
const WHOLE_NAME: usize = 26;

/// Columns with a smaller rank are left out before a name is shortened.
const USEFUL: u8 = 35;

/// Columns with a smaller rank are left out before a name becomes narrow.
const NEEDED: u8 = 90;

/// Content of a column of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A column of the table.
    Figures(usize),
    /// The bar of the share of power.
    Bar,
    /// The history of the power.
    History,
}

/// A column of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) content: Content,
    pub(super) width: usize,
    /// Width of a name beside useful columns.
    usual: usize,
    /// Width without shortened names.
    wanted: usize,
    rank: u8,
    is_name: bool,
}

/// The title of a column, with an arrow when the table is sorted by it.
pub(super) fn title(kind: Kind, place: usize, order: (usize, bool)) -> String {
    let arrow = match order {
        (sorted, _) if sorted != place => "",
        (_, true) => "↓",
        (_, false) => "↑",
    };
    format!("{}{arrow}", kind.columns()[place].title)
}

/// The columns that fit side by side, with one space between them. Names are shortened, figures never. The column by which the table
/// is sorted stays as long as anything fits.
pub(super) fn columns(kind: Kind, rows: &[Row], order: (usize, bool), width: usize) -> Vec<Placed> {
    let mut columns = all(kind, rows, order);
    let sorted = Content::Figures(order.0);
    let first = Content::Figures(0);
    let is_below = |rank: u8| move |one: &Placed| ![first, sorted].contains(&one.content) && one.rank < rank;
    let is_wide = |columns: &[Placed]| needed(columns) > width;
    while is_wide(&columns) && leave_out(&mut columns, is_below(USEFUL)) {}
    while is_wide(&columns) && narrow(&mut columns, |one| one.usual) {}
    while is_wide(&columns) && leave_out(&mut columns, is_below(NEEDED)) {}
    while is_wide(&columns) && narrow(&mut columns, |_| NARROW_NAME) {}
    while is_wide(&columns) && leave_out(&mut columns, is_below(u8::MAX)) {}
    while is_wide(&columns) && narrow(&mut columns, |_| NARROWEST_NAME) {}
    while is_wide(&columns) && leave_out(&mut columns, |one| one.content != first) {}
    while is_wide(&columns) && narrow(&mut columns, |_| 0) {}
    while needed(&columns) < width && widen(&mut columns) {}
    columns
}

fn all(kind: Kind, rows: &[Row], order: (usize, bool)) -> Vec<Placed> {
    let mut all = Vec::new();
    for (place, column) in kind.columns().iter().enumerate() {
        let cells = rows.iter().map(|row| fitting::width(&row.cells[place].text));
        let longest = cells.chain([column.width, fitting::width(&title(kind, place, order))]).max();
        let wanted = longest.unwrap_or(column.width);
        let is_name = column.is_name();
        let width = if is_name { wanted.min(WHOLE_NAME) } else { wanted };
        let usual = if is_name { column.width } else { wanted };
        all.push(Placed {
            content: Content::Figures(place),
            width,
            usual,
            wanted,
            rank: column.rank,
            is_name,
        });
        if column.field == "power_share_ratio" {
            let graph = |content, width, rank| Placed {
                content,
                width,
                usual: width,
                wanted: width,
                rank,
                is_name: false,
            };
            all.extend([graph(Content::Bar, BAR, 40), graph(Content::History, SLOTS, 30)]);
        }
    }
    all
}

fn needed(columns: &[Placed]) -> usize {
    columns.iter().map(|column| column.width).sum::<usize>() + columns.len().saturating_sub(1)
}

/// Leaves out the least important of these columns; false when there is none.
fn leave_out(columns: &mut Vec<Placed>, may_go: impl Fn(&Placed) -> bool) -> bool {
    let candidates = columns.iter().enumerate().filter(|(_, column)| may_go(column));
    let Some(least) = candidates.min_by_key(|(_, column)| column.rank).map(|(place, _)| place) else {
        return false;
    };
    columns.remove(least);
    true
}

/// Takes one from the width of the widest name that has more than its least; false when there is none.
fn narrow(columns: &mut [Placed], least: impl Fn(&Placed) -> usize) -> bool {
    let names = columns.iter_mut().filter(|column| column.is_name && column.width > least(column));
    let widest = names.max_by_key(|column| column.width);
    widest.map(|column| column.width -= 1).is_some()
}

/// Adds one to the width of the narrowest name that is shortened; false when there is none.
fn widen(columns: &mut [Placed]) -> bool {
    let names = columns.iter_mut().filter(|column| column.is_name && column.width < column.wanted);
    let narrowest = names.min_by_key(|column| column.width);
    narrowest.map(|column| column.width += 1).is_some()
}

/// A bar of at most [`BAR`] columns, in eighths of a column. A share above 0 is never an empty bar.
pub(super) fn bar(share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share.clamp(0.0, 1.0) * (BAR * 8) as f64).round() as usize;
    let eighths = if share > 0.0 { eighths.max(1) } else { eighths };
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_the_share() {
        let table = [
            (0.0, ""),
            (0.0001, "▏"),
            (0.25, "██"),
            (0.5 + 1.0 / 16.0, "████▌"),
            (1.0, "████████"),
            (1.2, "████████"),
        ];
        for (share, expected) in table {
            assert_eq!(bar(share), expected, "{share}");
        }
    }
}
