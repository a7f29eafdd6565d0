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
    let mut clauses = Vec::new();
    for (group, is_attack) in [(&attacked, true), (&free, false)] {
        let (Some(best), Some(last)) = (group.first(), group.last()) else { continue };
        let setting = match (is_attack, attack_words(arms)) {
            (true, Some(attack)) => format!("Under {attack}, "),
            (true, None) => "Under attack, ".into(),
            (false, _) => "Without attack, ".into(),
        };
        let mut clause = format!("{setting}{}", ends(best, &score, true));
        if group.len() > 1 {
            let others = if group.len() == 2 { "" } else { ", the last of them," };
            let count =
                if group.len() > 2 { format!(" (best of {})", group.len()) } else { String::new() };
            clause.push_str(&format!("{count}; {}{others} {}", last.arm.name, at(last, &score)));
        }
        clauses.push(format!("{clause}."));
    }
    clauses.push(unfinished(arms));
    clauses.retain(|clause| !clause.is_empty());
    clauses.join(" ")
}

fn ends(ranked: &Ranked<'_>, score: &str, in_full: bool) -> String {
    let node = if in_full { "’s worst honest node" } else { "’s" };
    format!("{}{node} {}", ranked.arm.name, at(ranked, score))
}

fn at(ranked: &Ranked<'_>, score: &str) -> String {
    let unit = Unit::of(score);
    let value = unit.write(ranked.worst.mean);
    match ranked.worst.count {
        1 => format!("ends at {value} {score}"),
        n => {
            let spread = unit.digits(ranked.worst.deviation);
            format!("ends at {value} {score} (± {spread} over {n} seeds)")
        }
    }
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
    let clause = |arm: &&Arm<'_>| format!("{}: {}", arm.name, arm.status());
    match stopped.len() {
        0 => String::new(),
        1..=3 => format!("{}.", stopped.iter().map(clause).collect::<Vec<_>>().join("; ")),
        count => format!("{count} of {} arms did not finish in every seed.", arms.len()),
    }
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
        note: ranked.arm.name.clone(),
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
        cards.push(card("best worst node under attack", best));
        if let Some(last) = attacked().next_back().filter(|last| last.arm.name != best.arm.name) {
            cards.push(card("lowest worst node under attack", last));
        }
        if let Some(free) = free {
            cards.push(card("worst node without attack", free));
            let gap = free.worst.mean - best.worst.mean;
            let value = match unit {
                Unit::Share => format!("{:.1} points", gap * 100.0),
                Unit::Plain => number::plain(gap),
            };
            let note = format!("{} to {}", free.arm.name, best.arm.name);
            cards.push(Card { what: "cost of the attack".into(), value, note });
        }
    } else if let Some(free) = free {
        cards.push(card("best worst node", free));
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
    let plural = if count == 1 { "run" } else { "runs" };
    vec![
        Card {
            what: "nodes".into(),
            value: range(runs().map(|s| s.n as u64).collect()),
            note: format!("{byzantine} Byzantine, {tolerated} tolerated"),
        },
        Card { what: "rounds".into(), value: rounds, note: String::new() },
        Card {
            what: "runs".into(),
            value: number::count(count as u64),
            note: format!("{finished} {plural} finished, seeds per arm: {seeds}"),
        },
    ]
}
