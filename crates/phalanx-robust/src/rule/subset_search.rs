//! The n − f rows of least pairwise sum, by branch and bound.

/// The stack of a search among subsets of `0..count`.
///
/// Rows are decided one by one, in or out. With P the rows taken so far, m still to be taken and C
/// those undecided, every completion costs at least
/// `Σ_P + the m least over c in C of (Σ_{i in P} d_ic + ½ the m − 1 least d_cj)`.
#[derive(Debug, Default)]
pub(super) struct SubsetSearch {
    count: usize,
    keep: usize,
    steps_left: u64,
    /// squared distances in the order of decision, `count × count`
    distances: Vec<f64>,
    /// which row is decided when
    order: Vec<usize>,
    taken: Vec<usize>,
    /// per level: Σ over the taken rows of the distances to each row
    sums: Vec<f64>,
    shares: Vec<f64>,
    near: Vec<f64>,
    /// half the sums of each row's 0, 1, 2, … least distances to any others
    floors: Vec<f64>,
    best: f64,
    chosen: Vec<usize>,
    sorted: Vec<usize>,
}

/// Sums within this relative distance are equal: the lower indices win.
pub(super) const TIE: f64 = 1e-12;

/// The limit on steps was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutOfSteps;

impl SubsetSearch {
    /// The subset of `keep` of `count` rows with the least sum of squared distances over its
    /// pairs, in ascending order; among equals the smallest list.
    pub(super) fn least(
        &mut self,
        (keep, count): (usize, usize),
        steps: u64,
        distance: impl Fn(usize, usize) -> f64,
    ) -> Result<&[usize], OutOfSteps> {
        (self.count, self.keep, self.steps_left) = (count, keep, steps);
        self.start_greedily(&distance);
        self.distances.clear();
        for &i in &self.order {
            self.distances.extend(self.order.iter().map(|&j| distance(i, j)));
        }
        self.find_floors();
        self.taken.clear();
        self.sums.clear();
        self.sums.resize((count + 1) * count, 0.0);
        self.search(0, 0.0)?;
        Ok(&self.chosen)
    }

    /// Takes the best of all "a row and its nearest" as a first answer, and orders the rows by
    /// their distance to it, so that far ones are left out early.
    fn start_greedily(&mut self, distance: &impl Fn(usize, usize) -> f64) {
        (self.best, self.chosen) = (f64::INFINITY, std::mem::take(&mut self.chosen));
        for centre in 0..self.count {
            self.order.clear();
            self.order.extend(0..self.count);
            let key = |i: usize| distance(centre, i);
            self.order.sort_unstable_by(|&a, &b| key(a).total_cmp(&key(b)).then(a.cmp(&b)));
            self.order.truncate(self.keep);
            self.order.sort_unstable();
            let total = pair_sum(&self.order, distance);
            if total < self.best * (1.0 - TIE) || self.best == f64::INFINITY {
                self.best = total;
                self.chosen.clone_from(&self.order);
            }
        }
        self.sums.clear();
        let chosen = &self.chosen;
        let sum = |i: usize| chosen.iter().map(|&j| distance(i, j)).sum::<f64>();
        self.sums.extend((0..self.count).map(sum));
        self.order.clear();
        self.order.extend(0..self.count);
        let sums = &self.sums;
        self.order.sort_unstable_by(|&a, &b| sums[a].total_cmp(&sums[b]).then(a.cmp(&b)));
    }

    /// `floors[c][m]`: half the sum of the m least distances of row c to others.
    fn find_floors(&mut self) {
        let count = self.count;
        self.floors.clear();
        for c in 0..count {
            self.near.clear();
            let row = &self.distances[c * count..][..count];
            self.near.extend(row.iter().enumerate().filter(|(j, _)| *j != c).map(|(_, d)| *d));
            self.near.sort_unstable_by(f64::total_cmp);
            let mut sum = 0.0;
            self.floors.push(0.0);
            for distance in &self.near {
                sum += 0.5 * distance;
                self.floors.push(sum);
            }
        }
    }

    /// Decides about the row at `level` and all later ones; `total` is the sum so far.
    fn search(&mut self, level: usize, total: f64) -> Result<(), OutOfSteps> {
        self.steps_left = self.steps_left.checked_sub(1).ok_or(OutOfSteps)?;
        let missing = self.keep - self.taken.len();
        if missing == 0 {
            self.offer(total);
            return Ok(());
        }
        let count = self.count;
        let bound = total + self.floor(level, missing);
        if bound > self.best * (1.0 + TIE)
            || bound >= self.best * (1.0 - TIE) && !self.can_be_smaller(level, missing)
        {
            return Ok(());
        }
        let cost = self.sums[self.taken.len() * count + level];
        let depth = self.taken.len();
        for c in level + 1..count {
            self.sums[(depth + 1) * count + c] =
                self.sums[depth * count + c] + self.distances[level * count + c];
        }
        self.taken.push(self.order[level]);
        self.search(level + 1, total + cost)?;
        self.taken.pop();
        if count - level > missing {
            self.search(level + 1, total)?;
        }
        Ok(())
    }

    /// The least that `missing` more rows can cost.
    fn floor(&mut self, level: usize, missing: usize) -> f64 {
        let (count, depth) = (self.count, self.taken.len());
        self.shares.clear();
        for c in level..count {
            let floor = self.floors[c * count + missing - 1];
            self.shares.push(self.sums[depth * count + c] + floor);
        }
        if missing < self.shares.len() {
            self.shares.select_nth_unstable_by(missing - 1, f64::total_cmp);
        }
        self.shares[..missing].iter().sum()
    }

    /// Whether some completion precedes the best list found so far.
    fn can_be_smaller(&mut self, level: usize, missing: usize) -> bool {
        self.sorted.clear();
        self.sorted.extend(&self.order[level..]);
        self.sorted.sort_unstable();
        self.sorted.truncate(missing);
        self.sorted.extend(&self.taken);
        self.sorted.sort_unstable();
        self.sorted < self.chosen
    }

    fn offer(&mut self, total: f64) {
        self.sorted.clone_from(&self.taken);
        self.sorted.sort_unstable();
        let is_equal = total <= self.best * (1.0 + TIE);
        if total < self.best * (1.0 - TIE) || is_equal && self.sorted < self.chosen {
            self.best = total;
            self.chosen.clone_from(&self.sorted);
        }
    }
}

fn pair_sum(rows: &[usize], distance: &impl Fn(usize, usize) -> f64) -> f64 {
    let earlier = |at: usize| rows[..at].iter().map(move |&j| distance(rows[at], j));
    (0..rows.len()).flat_map(earlier).sum()
}
