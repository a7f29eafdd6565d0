//! Vertex covers of bounded size: which few rows must go so that no conflict remains?

/// A graph over rows and the stack of its bounded search tree.
///
/// # Cost
/// At most `1.47^k` steps of `O(n²/64)` for covers of size k, since only vertices with three or
/// more conflicts are branched on; the caller sets a limit on steps.
#[derive(Debug, Default)]
pub(super) struct VertexCover {
    words: usize,
    adjacency: Vec<u64>,
    levels: Vec<u64>,
    matched: Vec<u64>,
    steps_left: u64,
}

/// The limit on steps was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutOfSteps;

fn members(set: &[u64]) -> impl Iterator<Item = usize> + '_ {
    set.iter().enumerate().flat_map(|(word, bits)| {
        let mut left = *bits;
        std::iter::from_fn(move || {
            let bit = left.trailing_zeros();
            left &= left.wrapping_sub(1);
            (bit < 64).then_some(word * 64 + bit as usize)
        })
    })
}

fn remove(set: &mut [u64], vertex: usize) {
    set[vertex / 64] &= !(1 << (vertex % 64));
}

impl VertexCover {
    /// Forgets all vertices and conflicts.
    pub(super) fn reset(&mut self, count: usize, steps: u64) {
        self.words = count.div_ceil(64);
        self.steps_left = steps;
        self.clear_conflicts(count);
        self.levels.clear();
        self.levels.resize(self.words, 0);
    }

    /// Forgets the conflicts, not the steps already taken.
    pub(super) fn clear_conflicts(&mut self, count: usize) {
        self.adjacency.clear();
        self.adjacency.resize(count * self.words, 0);
    }

    /// Makes the vertices of the graph exactly those for which `is_vertex` holds.
    pub(super) fn set_vertices(&mut self, count: usize, is_vertex: impl Fn(usize) -> bool) {
        self.levels[..self.words].fill(0);
        for v in (0..count).filter(|&v| is_vertex(v)) {
            self.levels[v / 64] |= 1 << (v % 64);
        }
    }

    /// Takes away every vertex in conflict with `v`.
    pub(super) fn remove_conflicting(&mut self, v: usize) {
        let gone = &self.adjacency[v * self.words..][..self.words];
        self.levels.iter_mut().zip(gone).for_each(|(left, gone)| *left &= !gone);
    }

    /// Rows `a` and `b` cannot both stay.
    pub(super) fn add_conflict(&mut self, a: usize, b: usize) {
        self.adjacency[a * self.words + b / 64] |= 1 << (b % 64);
        self.adjacency[b * self.words + a / 64] |= 1 << (a % 64);
    }

    /// Whether rows `a` and `b` are in conflict.
    pub(super) fn is_conflict(&self, a: usize, b: usize) -> bool {
        self.adjacency[a * self.words + b / 64] >> (b % 64) & 1 == 1
    }

    /// Whether some `budget` vertices touch every conflict.
    pub(super) fn exists(&mut self, budget: usize) -> Result<bool, OutOfSteps> {
        self.levels.resize(self.words * (budget + 2), 0);
        self.search(0, budget)
    }

    fn search(&mut self, level: usize, mut budget: usize) -> Result<bool, OutOfSteps> {
        self.steps_left = self.steps_left.checked_sub(1).ok_or(OutOfSteps)?;
        let words = self.words;
        loop {
            let (_, rest) = self.levels.split_at_mut(level * words);
            let (vertices, next) = rest.split_at_mut(words);
            let adjacency = &self.adjacency;
            let neighbours = |v: usize| &adjacency[v * words..][..words];
            let degree = |v: usize, vertices: &[u64]| -> usize {
                let shared = neighbours(v).iter().zip(vertices).map(|(a, b)| (a & b).count_ones());
                shared.sum::<u32>() as usize
            };
            let (mut sum, mut busiest, mut most, mut leaf) = (0, 0, 0, None);
            for v in members(vertices) {
                let degree = degree(v, vertices);
                sum += degree;
                if degree > most {
                    (busiest, most) = (v, degree);
                }
                if degree == 1 {
                    leaf = leaf.or(Some(v));
                }
            }
            if sum == 0 {
                return Ok(true);
            }
            // Each vertex of a cover touches at most `most` of the `sum / 2` conflicts.
            if sum > 2 * budget * most {
                return Ok(false);
            }
            // A vertex with more conflicts than the budget must go; so must the only neighbour of
            // a leaf, rather than the leaf; and on cycles any vertex is as good as another.
            let forced = if most > budget || most <= 2 && leaf.is_none() {
                Some(busiest)
            } else {
                leaf.and_then(|leaf| {
                    members(neighbours(leaf)).find(|u| vertices[u / 64] >> (u % 64) & 1 == 1)
                })
            };
            if let Some(forced) = forced {
                remove(vertices, forced);
                budget -= 1;
                continue;
            }
            if !matching_fits(&mut self.matched, vertices, neighbours, budget) {
                return Ok(false);
            }
            next[..words].copy_from_slice(vertices);
            remove(&mut next[..words], busiest);
            if self.search(level + 1, budget - 1)? {
                return Ok(true);
            }
            // Without the busiest vertex all its neighbours must go.
            let vertices = &mut self.levels[level * words..][..words];
            remove(vertices, busiest);
            let gone = &self.adjacency[busiest * words..][..words];
            vertices.iter_mut().zip(gone).for_each(|(left, gone)| *left &= !gone);
            budget -= most;
        }
    }
}

/// Whether a greedy matching has at most `budget` edges: no cover is smaller than a matching.
fn matching_fits<'a>(
    free: &mut Vec<u64>,
    vertices: &[u64],
    neighbours: impl Fn(usize) -> &'a [u64],
    budget: usize,
) -> bool {
    free.clear();
    free.extend_from_slice(vertices);
    let mut edges = 0;
    for v in members(vertices) {
        if free[v / 64] >> (v % 64) & 1 == 0 {
            continue;
        }
        let partner = (0..free.len()).find_map(|word| {
            let bits = neighbours(v)[word] & free[word];
            (bits != 0).then(|| word * 64 + bits.trailing_zeros() as usize)
        });
        if let Some(partner) = partner {
            remove(free, v);
            remove(free, partner);
            edges += 1;
            if edges > budget {
                return false;
            }
        }
    }
    true
}
