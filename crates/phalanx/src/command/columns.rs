//! Text in aligned columns.

/// Rows of cells, flush left, two spaces between columns, none at the end of a line.
pub fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &Vec<String>, column: usize| row.get(column).map_or(0, |c| c.chars().count());
    let widths: Vec<usize> = (0..count)
        .map(|column| rows.iter().map(|row| cell(row, column)).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Columns that a paragraph may take.
const LINE: usize = 100;

/// A heading and a text; its lines are kept, long ones are wrapped, all are indented alike.
pub fn paragraph(heading: &str, width: usize, text: &str) -> String {
    let room = LINE.saturating_sub(width + 2);
    let lines: Vec<String> = text.lines().flat_map(|line| wrapped(line.trim(), room)).collect();
    let indent = format!("\n{:width$}  ", "");
    format!("{heading:<width$}  {}", lines.join(&indent)).trim_end().to_owned()
}

fn wrapped(line: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let last = lines.last_mut().expect("there is always a line");
        let length = last.chars().count() + 1 + word.chars().count();
        if !last.is_empty() && length > room {
            lines.push(word.into());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

/// `1 run`, `3 runs`.
pub fn counted(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}
