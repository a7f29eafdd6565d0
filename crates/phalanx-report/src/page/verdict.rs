//! What the data say in one sentence and a few numbers.
use crate::folder::{Status, less_is_better};
use crate::number::{self, Unit};
use crate::read::Arm;
use crate::spread::{Pick, Spread, score_names};

/// One key number.
pub(crate) struct Card {
    pub(crate) what: String,
    pub(crate) value: String,
    pub(crate) note: String,
}

/// An arm by how its worst honest node ended.
struct Ranked<'a> {
    arm: &'a Arm<'a>,
    worst: Spread,
}

/// Finished arms from best to worst, by the worst honest node's final score.
fn ranking<'a>(arms: &'a [Arm<'a>], score: &str) -> Vec<Ranked<'a>> {
    let ranked = |arm: &'a Arm<'a>| {
        let worst = arm.score(score, Pick::Worst).filter(|spread| spread.mean.is_finite())?;
        arm.is_finished().then_some(Ranked { arm, worst })
    };
    let mut all: Vec<_> = arms.iter().filter_map(ranked).collect();
    let sign = if less_is_better(score) { 1.0 } else { -1.0 };
    all.sort_by(|a, b| (a.worst.mean * sign).total_cmp(&(b.worst.mean * sign)));
    all
}

fn is_attacked(arm: &Arm<'_>) -> bool {
    arm.runs.iter().any(|run| run.summary.byzantine > 0)
}

/// The verdict: which arm's worst node ends where.
pub(crate) fn sentence(arms: &[Arm<'_>]) -> String {
    let Some(score) = score_names(arms).into_iter().next() else {
        return format!("No node was evaluated. {}", unfinished(arms)).trim_end().into();
    };
    let ranking = ranking(arms, &score);
    let (attacked, free): (Vec<_>, Vec<_>) = ranking.iter().partition(|r| is_attacked(r.arm));
    let mut clauses: Vec<String> = Vec::new();
    for (group, is_attack) in [(&attacked, true), (&free, false)] {
        let (Some(best), Some(last)) = (group.first(), group.last()) else { continue };
        let setting = match (is_attack, attack_words(arms)) {
            (true, Some(attack)) => format!("under {attack}"),
            (true, None) => "under attack".into(),
            (false, _) => "without attack".into(),
        };
        let subject = if clauses.is_empty() { " the worst honest node ends" } else { "" };
        let mut clause = format!("{setting},{subject} {}", at(best, &score, clauses.is_empty()));
        match group.len() {
            1 => {}
            2 => clause.push_str(&format!(" and {}", at(last, &score, false))),
            n => clause.push_str(&format!(
                ", the best of {n} arms, and {}, the last of them",
                at(last, &score, false)
            )),
        }
        clauses.push(clause);
    }
    let first = match clauses.is_empty() {
        true => String::new(),
        false => crate::text::capitalised(&clauses.join("; ")) + ".",
    };
    let finite = |arm: &Arm<'_>| arm.score(&score, Pick::Worst).is_some_and(|s| !s.mean.is_nan());
    let first = match first.is_empty() && !arms.iter().any(finite) {
        true => format!("No arm ended with a number for its {score}."),
        false => first,
    };
    let text = [first, unfinished(arms)].join(" ");
    // A number stays on one line with its sign and its unit.
    text.trim().replace(" %", "\u{a0}%").replace("± ", "±\u{a0}")
}

/// `at 91.3 % accuracy (± 0.4 over 3 seeds) with monna`.
fn at(ranked: &Ranked<'_>, score: &str, in_full: bool) -> String {
    let unit = Unit::of(score);
    let value = unit.write(ranked.worst.mean);
    let (name, seeds) = match in_full {
        true => (format!(" {score}"), format!(" over {} seeds", ranked.worst.count)),
        false => (String::new(), String::new()),
    };
    let spread = match ranked.worst.count {
        1 => String::new(),
        _ => format!(" (± {}{seeds})", unit.digits(ranked.worst.deviation)),
    };
    format!("at {value}{name}{spread} with {}", ranked.arm.name)
}

/// The one attack of all attacked arms.
fn attack_words(arms: &[Arm<'_>]) -> Option<String> {
    let attacked = arms.iter().flat_map(|arm| &arm.runs).filter(|run| run.summary.byzantine > 0);
    let mut words: Vec<String> = attacked
        .map(|run| {
            let s = &run.summary;
            let name = s.names.get("attack").map_or("attack", String::as_str);
            format!("{name} by {} of {} nodes", s.byzantine, s.n)
        })
        .collect();
    words.sort();
    words.dedup();
    match words.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    }
}

fn unfinished(arms: &[Arm<'_>]) -> String {
    let stopped: Vec<&Arm<'_>> = arms.iter().filter(|arm| !arm.is_finished()).collect();
    let clause = |arm: &&Arm<'_>| {
        let statuses = arm.statuses().into_iter().filter(|(s, _)| *s != Status::Finished);
        let words = statuses.map(|(status, count)| match (status, arm.first_failure()) {
            (Status::Diverged, Some(round)) => {
                format!("{count} diverged, the first at round {round}")
            }
            _ => format!("{count} {}", status.word()),
        });
        let words = words.collect::<Vec<_>>().join(", ");
        let runs = if arm.runs.len() == 1 { "run" } else { "runs" };
        format!("Of {} {runs} of {}, {words}.", arm.runs.len(), arm.name)
    };
    match stopped.len() {
        0..=3 => stopped.iter().map(clause).collect::<Vec<_>>().join(" "),
        count => format!("{count} of {} arms did not finish in every seed.", arms.len()),
    }
}

fn plural(seeds: &str) -> &'static str {
    if seeds == "1" { "seed" } else { "seeds" }
}

/// The key numbers.
pub(crate) fn cards(arms: &[Arm<'_>]) -> Vec<Card> {
    let mut cards = Vec::new();
    if let Some(score) = score_names(arms).into_iter().next() {
        cards.extend(score_cards(arms, &score));
    }
    cards.extend(setting_cards(arms));
    cards
}

fn score_cards(arms: &[Arm<'_>], score: &str) -> Vec<Card> {
    let unit = Unit::of(score);
    let ranking = ranking(arms, score);
    let mut cards = Vec::new();
    let card = |what: &str, ranked: &Ranked<'_>| Card {
        what: what.into(),
        value: unit.write(ranked.worst.mean),
        note: format!("{}, worst node", ranked.arm.name),
    };
    let attacked = || ranking.iter().filter(|r| is_attacked(r.arm));
    let free = ranking.iter().find(|ranked| !is_attacked(ranked.arm));
    if let (1, Some(only)) = (arms.len(), ranking.first()) {
        if let Some(mean) = only.arm.score(score, Pick::Mean) {
            let (value, note) = (unit.write(mean.mean), "mean of honest nodes".into());
            cards.push(Card { what: score.into(), value, note });
        }
        cards.push(Card { note: "worst honest node".into(), ..card(score, only) });
        return cards;
    }
    if let Some(best) = attacked().next() {
        cards.push(card("best arm under attack", best));
        if let Some(last) = attacked().next_back().filter(|last| last.arm.name != best.arm.name) {
            cards.push(card("weakest arm under attack", last));
        }
        if let Some(free) = free {
            cards.push(card("arm without attack", free));
            let sign = if less_is_better(score) { -1.0 } else { 1.0 };
            let gap = sign * (free.worst.mean - best.worst.mean);
            let value = match unit {
                Unit::Share => format!("{:.1} points", gap * 100.0),
                Unit::Plain => number::plain(gap),
            };
            let note = format!("worst node, {} against {}", best.arm.name, free.arm.name);
            cards.push(Card { what: "cost of the attack".into(), value, note });
        }
    } else if let Some(free) = free {
        cards.push(card("best arm", free));
    }
    cards
}

fn setting_cards(arms: &[Arm<'_>]) -> Vec<Card> {
    let runs = || arms.iter().flat_map(|arm| &arm.runs).map(|run| &run.summary);
    let range = |values: Vec<u64>| {
        let (least, most) = (values.iter().min(), values.iter().max());
        match (least, most) {
            (Some(least), Some(most)) if least == most => number::count(*least),
            (Some(least), Some(most)) => {
                format!("{}–{}", number::count(*least), number::count(*most))
            }
            _ => "–".into(),
        }
    };
    let byzantine = range(runs().map(|s| s.byzantine as u64).collect());
    let tolerated = range(runs().map(|s| s.f as u64).collect());
    let rounds = range(runs().map(|s| u64::from(s.rounds)).collect());
    let count = runs().count();
    let finished = runs().filter(|s| s.status == Status::Finished).count();
    let seeds = range(arms.iter().map(|arm| arm.runs.len() as u64).collect());
    vec![
        Card {
            what: "nodes".into(),
            value: range(runs().map(|s| s.n as u64).collect()),
            note: format!("{byzantine} Byzantine, {tolerated} tolerated"),
        },
        Card {
            what: "runs".into(),
            value: number::count(count as u64),
            note: format!(
                "{finished} finished; {rounds} rounds, {seeds} {} per arm",
                plural(&seeds)
            ),
        },
    ]
}
