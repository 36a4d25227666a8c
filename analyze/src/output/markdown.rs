//! Tables in Markdown, as GitHub and others show them.

/// A table with a heading for each column. What Markdown or HTML would take for markup stands as itself.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(headings.iter().map(|heading| escaped(heading)).collect());
    text += &line(headings.iter().map(|_| "---".to_owned()).collect());
    for row in rows {
        text += &line(row.iter().map(|cell| escaped(cell)).collect());
    }
    text
}

fn escaped(cell: &str) -> String {
    let mut text = String::with_capacity(cell.len());
    for c in cell.chars() {
        match c {
            '<' => text += "&lt;",
            '>' => text += "&gt;",
            '&' => text += "&amp;",
            '\n' | '\r' => text.push(' '),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '~' => {
                text.push('\\');
                text.push(c);
            }
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_markup_is_text() {
        let rows = vec![vec!["a|b".to_owned(), "p99_9 <= 3 * before\n".to_owned()]];
        let expected = "| x | y |\n| --- | --- |\n| a\\|b | p99\\_9 &lt;= 3 \\* before  |\n";
        assert_eq!(table(&["x", "y"], &rows), expected);
    }
}
