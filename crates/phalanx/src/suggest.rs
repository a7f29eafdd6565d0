//! "Did you mean": the most similar of some names.

/// Edits (insert, delete, replace, swap of neighbours) beyond which a name is not similar.
const DISTANCE_MAX: usize = 3;

/// The known name with the least edit distance to `name`, the first one on ties; none when that
/// is more than three or as long as the name itself.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let limit = DISTANCE_MAX.min(name.chars().count().saturating_sub(1));
    let scored = known.into_iter().map(|known| (distance(&lower, &known.to_lowercase()), known));
    let (distance, closest) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance <= limit).then_some(closest)
}

/// Optimal string alignment distance.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits_and_swaps_of_neighbours() {
        let cases = [("", "", 0), ("krum", "krum", 0), ("krumm", "krum", 1), ("kurm", "krum", 1)];
        for (a, b, expected) in cases {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn only_similar_names_are_suggested() {
        let known = ["krum", "multi-krum", "average"];
        assert_eq!(closest("krumm", known), Some("krum"));
        assert_eq!(closest("multikrum", known), Some("multi-krum"));
        assert_eq!(closest("AVERAGE", known), Some("average"));
        assert_eq!(closest("medoid", known), None);
        assert_eq!(closest("x", ["f", "n"]), None, "every short word is near every other");
    }
}
