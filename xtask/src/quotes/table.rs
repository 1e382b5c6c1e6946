//! Reads sections and tables of a Markdown page.

use anyhow::Context;

/// A section without the ones below it: from its heading to the next one.
pub(super) fn section<'a>(page: &'a str, heading: &str) -> anyhow::Result<&'a str> {
    let from = format!("\n{heading}\n");
    let rest = page.split_once(&from).with_context(|| format!("no section {heading:?}"))?.1;
    Ok(rest.split("\n#").next().unwrap_or(rest))
}

/// Titles and rows of the first table whose first column has this title.
pub(super) fn cells<'a>(section: &'a str, first: &str) -> anyhow::Result<(Vec<&'a str>, Vec<Vec<&'a str>>)> {
    let mut lines = section.lines().skip_while(|line| !line.starts_with(&format!("| {first} |")));
    let split = |line: &'a str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<&str>>();
    let titles = split(lines.next().with_context(|| format!("no table of {first}"))?);
    let rows: Vec<Vec<&str>> = lines.skip(1).take_while(|line| line.starts_with('|')).map(split).collect();
    anyhow::ensure!(
        !rows.is_empty() && rows.iter().all(|row| row.len() == titles.len()),
        "the table of {first} is not whole"
    );
    Ok((titles, rows))
}

/// A column of that table.
pub(super) fn column(section: &str, first: &str, title: &str) -> anyhow::Result<Vec<String>> {
    let (titles, rows) = cells(section, first)?;
    let place =
        titles.iter().position(|known| *known == title).with_context(|| format!("no column {title:?}"))?;
    Ok(rows.into_iter().map(|row| row[place].to_owned()).collect())
}

/// The cell in the first row that begins with `name`, in the column of this title.
pub(super) fn cell(section: &str, first: &str, name: &str, title: &str) -> anyhow::Result<String> {
    let place = column(section, first, first)?.iter().position(|known| known == name);
    let place = place.with_context(|| format!("no row {name:?}"))?;
    Ok(column(section, first, title)?.swap_remove(place))
}

/// A percentage, with or without its sign and its unit.
pub(super) fn percent(text: &str) -> anyhow::Result<f64> {
    text.trim_end_matches('%').trim().parse().with_context(|| format!("{text:?} is no percentage"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A\n\n## B\n\nWords.\n\n| of | is |\n|---|---|\n| x | +1.5 % |\n| y | 2 % |\n\n### C\n\n| of | is |\n|---|---|\n| x | 9 % |\n";

    #[test]
    fn a_cell_is_that_of_its_section_row_and_column() {
        let b = section(PAGE, "## B").unwrap();
        assert_eq!(cell(b, "of", "y", "is").unwrap(), "2 %");
        assert_eq!(column(b, "of", "is").unwrap(), ["+1.5 %", "2 %"]);
        assert_eq!(cell(section(PAGE, "### C").unwrap(), "of", "x", "is").unwrap(), "9 %");
        for missing in [cell(b, "of", "z", "is"), cell(b, "of", "x", "was"), cell(b, "by", "x", "is")] {
            assert!(missing.is_err(), "{missing:?}");
        }
        assert!(section(PAGE, "## C").is_err());
    }

    #[test]
    fn a_percentage_has_a_sign_or_none() {
        let of = |text| format!("{:.3}", percent(text).unwrap());
        assert_eq!([of("+0.50 %"), of("-3")], ["0.500", "-3.000"]);
        assert!(percent("–").is_err());
    }
}
