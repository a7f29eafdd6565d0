//! Defences by what is left of their score under the attack that hurts them most.
use super::{Campaign, Cell, best};
use crate::spread::Spread;

/// The worst of a row over the attacks of a panel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WorstCase {
    /// mean of honest nodes under the attack that makes it worst, over seeds
    pub(crate) mean: Spread,
    /// worst honest node under the attack that makes that one worst, over seeds
    pub(crate) worst: Spread,
    pub(crate) panel: usize,
    /// which attack
    pub(crate) column: usize,
    /// attacks that were run
    pub(crate) attacks: usize,
    /// attacks that any row of the panel was run under
    pub(crate) of: usize,
    /// whether every one of them finished in every seed, with a number
    pub(crate) is_sound: bool,
}

/// A row of the ranking.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rank {
    pub(crate) name: String,
    /// the worst over all panels; `None` for a reference that nobody attacks
    pub(crate) worst: Option<WorstCase>,
    /// mean over panels of the worst cases
    pub(crate) typical: Option<f64>,
    /// panels in which its worst case is the best
    pub(crate) wins: usize,
    /// panels in which it was attacked
    pub(crate) panels: usize,
    /// whether that is every panel and every attack that others met
    pub(crate) is_whole: bool,
}

impl Campaign<'_> {
    /// The worst case of a row in a panel; `None` if it was not attacked there.
    pub(crate) fn worst_case(&self, panel: usize, row: usize) -> Option<WorstCase> {
        let attacks = (0..self.columns.len()).filter(|column| self.is_attack(*column));
        let attacks: Vec<usize> = attacks.filter(|c| self.has_column(panel, *c)).collect();
        let cell = |column: &usize| Some((*column, self.cell(panel, row, *column)?));
        let cells: Vec<(usize, Cell<'_>)> = attacks.iter().filter_map(cell).collect();
        let worst_by = |value: fn(&Cell<'_>) -> Option<Spread>| {
            let values = cells.iter().filter_map(|(column, cell)| Some((*column, value(cell)?)));
            values.min_by(|(_, a), (_, b)| {
                // What is not a number is worse than any.
                let key = |spread: &Spread| (!spread.mean.is_nan(), -self.sign() * spread.mean);
                let (a, b) = (key(a), key(b));
                a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
            })
        };
        let (column, mean) = worst_by(|cell| cell.mean)?;
        let (_, worst) = worst_by(|cell| cell.worst)?;
        Some(WorstCase {
            mean,
            worst,
            panel,
            column,
            attacks: cells.len(),
            of: attacks.len(),
            is_sound: cells.iter().all(|(_, cell)| cell.is_sound()),
        })
    }

    /// Rows whose worst case in a panel is the best of those that met all its attacks.
    pub(crate) fn best_of_panel(&self, panel: usize) -> Vec<usize> {
        let value = |row: usize| {
            let case = self.worst_case(panel, row)?;
            (case.is_sound && case.attacks == case.of).then_some((row, case.mean.mean))
        };
        best((0..self.rows.len()).filter_map(value), self.sign())
    }

    /// All rows, best first: sound ones before those with a run that failed, those that met every
    /// attack in every panel before others, references last.
    pub(crate) fn ranking(&self) -> Vec<Rank> {
        let wins: Vec<Vec<usize>> =
            (0..self.panels.len()).map(|panel| self.best_of_panel(panel)).collect();
        let attacked =
            |panel: &usize| (0..self.rows.len()).any(|row| self.worst_case(*panel, row).is_some());
        let panels = (0..self.panels.len()).filter(attacked).count();
        let mut ranks: Vec<Rank> =
            (0..self.rows.len()).map(|row| self.rank(row, &wins, panels)).collect();
        ranks.sort_by(|a, b| {
            let key = |rank: &Rank| {
                let value = rank.worst.map_or(f64::NAN, |case| case.mean.mean * self.sign());
                (rank.worst.is_none(), !rank.worst.is_some_and(|case| case.is_sound), value)
            };
            let (one, other) = (key(a), key(b));
            (one.0, one.1, !a.is_whole)
                .cmp(&(other.0, other.1, !b.is_whole))
                .then(one.2.total_cmp(&other.2))
                .then(a.name.cmp(&b.name))
        });
        ranks
    }

    fn rank(&self, row: usize, wins: &[Vec<usize>], panels: usize) -> Rank {
        let cases = (0..self.panels.len()).filter_map(|panel| self.worst_case(panel, row));
        let cases: Vec<WorstCase> = cases.collect();
        let of = |value: fn(&WorstCase) -> Spread| {
            let key = |spread: &Spread| (!spread.mean.is_nan(), -self.sign() * spread.mean);
            cases.iter().min_by(|a, b| {
                let (a, b) = (key(&value(a)), key(&value(b)));
                a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
            })
        };
        let is_sound = cases.iter().all(|case| case.is_sound);
        let worst = of(|case| case.mean)
            .zip(of(|case| case.worst))
            .map(|(mean, worst)| WorstCase { worst: worst.worst, is_sound, ..*mean });
        let sum: f64 = cases.iter().map(|case| case.mean.mean).sum();
        let typical = (!cases.is_empty()).then(|| sum / cases.len() as f64);
        let is_whole = cases.len() == panels && cases.iter().all(|case| case.attacks == case.of);
        Rank {
            name: self.rows[row].clone(),
            worst,
            typical,
            wins: wins.iter().filter(|rows| rows.contains(&row)).count(),
            panels: cases.len(),
            is_whole,
        }
    }
}
