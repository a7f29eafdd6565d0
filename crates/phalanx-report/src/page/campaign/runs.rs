//! Every run of a campaign, with a link to its folder.
use maud::{Markup, html};

use crate::folder::{REPORT, Status};
use crate::number::Unit;
use crate::page::Source;
use crate::read::LoadedRun;
use crate::spread::score_names;

/// The place of a run on the page.
pub(super) fn anchor(run: &LoadedRun) -> String {
    format!("run-{}", crate::figure::safe(&run.name()))
}

pub(super) fn section(source: &Source<'_>) -> Markup {
    let score = score_names(source.arms).into_iter().next().unwrap_or_default();
    let unit = Unit::of(&score);
    let values = |run: &LoadedRun| {
        let score = run.summary.scores.get(&score);
        let digits = |value: Option<f64>| value.map_or("–".into(), |value| unit.digits(value));
        [digits(score.map(|s| s.mean)), digits(score.map(|s| s.worst))]
    };
    html! {
        section id="runs" {
            h2 { "All runs" }
            p.lead { "Each name links to the run’s folder: its settings, record and figures." }
            div.scroll.tall { table.runs {
                thead { tr {
                    th scope="col" { "run" } th scope="col" { "status" }
                    th.number scope="col" { "mean " (score) } th.number scope="col" { "worst node" }
                } }
                tbody { @for run in source.runs {
                    tr id=(anchor(run)) {
                        th scope="row" { a href=(link(run)) { (run.name()) } }
                        td { (run.summary.status.word())
                            @if let Some(reason) = run.summary.reason.as_ref()
                                .filter(|_| run.summary.status != Status::Finished) {
                                p.note { (reason) }
                            } }
                        @for value in values(run) { td.number { (value) } }
                    }
                } }
            } }
        }
    }
}

/// To the page of a run if it has one, else to its folder; relative, so that a copy still works.
fn link(run: &LoadedRun) -> String {
    let name = encoded(&run.name());
    match run.folder.join(REPORT).is_file() {
        true => format!("{name}/{REPORT}"),
        false => format!("{name}/"),
    }
}

/// A folder's name as a part of an address.
fn encoded(name: &str) -> String {
    let mut text = String::from("./");
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
