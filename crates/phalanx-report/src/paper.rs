//! Tables of a campaign for papers: defence by attack, in LaTeX and in Markdown.
use crate::campaign::Campaign;
use crate::folder::FolderError;
use crate::page::campaign::{Cells, Entry, grids};
use crate::read::{LoadedRun, arms};
use crate::table::{Grid, markdown};

/// For what a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaperStyle {
    /// `tabular` with the rules of the package `booktabs`, the best of a column in bold
    Latex,
    /// a Markdown table, the best of a column in bold
    Markdown,
}

/// One table per setting that is neither defence nor attack, ending in a line feed.
///
/// Values are means of honest nodes ± standard deviations over seeds; in Markdown the worst honest
/// node follows after a stroke. The last column is the worst case over attacks.
///
/// # Errors
/// An experiment is not TOML.
pub fn paper_tables(runs: &[LoadedRun], style: PaperStyle) -> Result<String, FolderError> {
    let arms = arms(runs);
    let Some(campaign) = Campaign::of(&arms)? else { return Ok("no run has a score\n".into()) };
    let tables = grids(&campaign);
    let text = tables.iter().map(|table| match style {
        PaperStyle::Latex => latex(table),
        PaperStyle::Markdown => in_markdown(table),
    });
    Ok(text.collect::<Vec<_>>().join("\n"))
}

fn in_markdown(table: &Cells) -> String {
    let cell = |entry: &Entry| match (entry.mean.is_empty(), entry.is_best) {
        (true, _) => "–".to_owned(),
        (_, true) => format!("**{}**{} / {}", entry.mean, entry.mark, entry.worst),
        (_, false) => format!("{}{} / {}", entry.mean, entry.mark, entry.worst),
    };
    let row = |(name, entries): &(String, Vec<Entry>)| {
        [name.clone()].into_iter().chain(entries.iter().map(cell)).collect()
    };
    let rows = table.rows.iter().map(row).collect();
    let mut text = match table.name.is_empty() {
        true => String::new(),
        false => format!("{}\n\n", table.name),
    };
    text.push_str(&markdown(&Grid { head: table.head.clone(), rows, words: 1 }));
    let mut what = format!("\n{}: mean of honest nodes / worst honest node.\n", table.what);
    for note in &table.notes {
        what.push_str(&format!("{note}.\n"));
    }
    text + &what
}

fn latex(table: &Cells) -> String {
    let columns = "r".repeat(table.head.len().saturating_sub(1));
    let mut text = format!("% {}\n", commented(&table.what));
    if !table.name.is_empty() {
        text.push_str(&format!("% {}\n", commented(&table.name)));
    }
    text.push_str(&format!("\\begin{{tabular}}{{l{columns}}}\n\\toprule\n"));
    let line = |cells: Vec<String>| format!("{} \\\\\n", cells.join(" & "));
    text.push_str(&line(table.head.iter().map(|name| escaped(name)).collect()));
    text.push_str("\\midrule\n");
    for (name, entries) in &table.rows {
        let cells = [escaped(name)].into_iter().chain(entries.iter().map(latex_cell));
        text.push_str(&line(cells.collect()));
    }
    text.push_str("\\bottomrule\n\\end{tabular}\n");
    for note in &table.notes {
        text.push_str(&format!("% {}\n", commented(&note.replace('†', "\\dag"))));
    }
    text
}

fn latex_cell(entry: &Entry) -> String {
    if entry.mean.is_empty() {
        return "--".into();
    }
    // One formula, so that a sign is a minus and not a hyphen.
    let number = match entry.mean.split_once(" ± ") {
        Some((mean, deviation)) => format!("{} \\pm {}", upright(mean), upright(deviation)),
        None => upright(&entry.mean),
    };
    let number = if entry.is_best { format!("\\mathbf{{{number}}}") } else { number };
    let mark = entry.mark.replace('†', "^{\\dagger}").replace('*', "^{*}");
    format!("${number}{}$", mark.replace("}^{", ""))
}

/// A number, or the word that stands for what is none.
fn upright(text: &str) -> String {
    let is_word = text.chars().all(|c| c.is_ascii_alphabetic() || c == ' ' || c == '-');
    if is_word { format!("\\mathrm{{{text}}}") } else { text.to_owned() }
}

/// Text with what LaTeX would take for commands written out.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => safe.extend(['\\', c]),
            '~' => safe.push_str("\\textasciitilde{}"),
            '^' => safe.push_str("\\textasciicircum{}"),
            '\\' => safe.push_str("\\textbackslash{}"),
            '<' => safe.push_str("\\textless{}"),
            '>' => safe.push_str("\\textgreater{}"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// Text that stays on its line of comment.
fn commented(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
