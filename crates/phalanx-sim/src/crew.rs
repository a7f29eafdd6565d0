//! The nodes' slow halves: work is gathered and run for all nodes at once.
//!
//! A job's result is needed only when its virtual duration is over, so jobs of different nodes
//! wait here until the first of them is due and then run together, in parallel across nodes. What
//! a rule does for one node it does from the geometry of its inputs; nodes that heard the same
//! vectors share every distance and read each vector once. The outcome is the same bit for bit as
//! when each node works alone, which the tests of this crate assert.
use std::collections::BTreeMap;

use phalanx_learn::{Done, Job, WorkError, Worker};
use phalanx_protocol::{Collected, NodeId};
use phalanx_robust::kernel::{self, Combination, Precision};
use phalanx_robust::{Geometry, Needs, Pairs};
use rayon::prelude::*;

/// One node's slow half with the work that waits for it.
pub struct Member {
    /// the node
    pub node: NodeId,
    /// task and algorithm
    pub worker: Worker,
    absorb: Option<Collected>,
    job: Option<Job>,
    result: Option<Result<Done, WorkError>>,
}

/// All slow halves.
pub struct Crew {
    members: Vec<Member>,
}

impl Crew {
    /// One member per honest node.
    pub fn new(workers: Vec<(NodeId, Worker)>) -> Self {
        let member =
            |(node, worker)| Member { node, worker, absorb: None, job: None, result: None };
        Self { members: workers.into_iter().map(member).collect() }
    }

    /// Member `index`, in the order given.
    pub fn member(&self, index: usize) -> &Member {
        &self.members[index]
    }

    /// All members.
    pub fn members_mut(&mut self) -> &mut [Member] {
        &mut self.members
    }

    /// Queues work. An absorption may be followed by one other job before anything is run.
    pub fn assign(&mut self, index: usize, job: Job) {
        let member = &mut self.members[index];
        assert!(member.job.is_none() && member.result.is_none(), "one job at a time");
        match job {
            Job::Absorb(collected) => member.absorb = Some(collected),
            job => member.job = Some(job),
        }
    }

    /// The outcome of the job that was assigned last; runs everything that waits if need be.
    pub fn result(&mut self, index: usize) -> Result<Done, WorkError> {
        if self.members[index].result.is_none() {
            self.run_all();
        }
        self.members[index].result.take().expect("a job was assigned and has been run")
    }

    /// Runs everything that waits, in parallel; outcomes stay until they are asked for.
    pub fn run_all(&mut self) {
        absorb_together(&mut self.members);
        self.members.par_iter_mut().with_max_len(1).for_each(|member| {
            if let Some(collected) = member.absorb.take()
                && let Err(error) = member.worker.run(Job::Absorb(collected))
            {
                member.result = Some(Err(error));
                member.job = None;
            }
            if let Some(job) = member.job.take() {
                member.result = Some(member.worker.run(job));
            }
        });
    }

    /// Whether an outcome is waiting, for a snapshot after [`Crew::run_all`].
    pub fn waiting(&self, index: usize) -> Option<&Result<Done, WorkError>> {
        self.members[index].result.as_ref()
    }

    /// Puts back an outcome from a snapshot.
    pub fn restore(&mut self, index: usize, result: Option<Result<Done, WorkError>>) {
        let member = &mut self.members[index];
        member.absorb = None;
        member.job = None;
        member.result = result;
    }
}

/// Distinct vectors of many collections, by identity, in order of appearance.
#[derive(Default)]
struct Pool<'a> {
    index_of: BTreeMap<usize, usize>,
    rows: Vec<&'a [f32]>,
}

impl<'a> Pool<'a> {
    fn add(&mut self, collected: &'a Collected) -> Vec<usize> {
        let mut indices = Vec::with_capacity(collected.vectors.len());
        for (_, vector) in &collected.vectors {
            let next = self.rows.len();
            let index = *self.index_of.entry(vector.address()).or_insert(next);
            if index == next {
                self.rows.push(vector);
            }
            indices.push(index);
        }
        indices
    }
}

/// Condenses for every member whose rule is geometric; leaves the others' absorptions in place.
fn absorb_together(members: &mut [Member]) {
    let collections: Vec<(usize, Collected)> = (members.iter_mut().enumerate())
        .filter_map(|(index, member)| {
            // What a timeout left empty is refused by the worker itself.
            let Collected { turn, .. } =
                member.absorb.as_ref().filter(|c| !c.vectors.is_empty())?;
            member.worker.rule(*turn)?.geometric()?;
            Some((index, member.absorb.take()?))
        })
        .collect();
    if collections.is_empty() {
        return;
    }
    let mut pool = Pool::default();
    let places: Vec<Vec<usize>> = collections.iter().map(|(_, c)| pool.add(c)).collect();
    let known = Known::compute(members, &collections, &places, &pool.rows);
    let mut condensed: Vec<Condensed> = Vec::new();
    for (at, ((index, collected), places)) in collections.iter().zip(&places).enumerate() {
        let member = &mut members[*index];
        let own = collected.vectors.iter().position(|(from, _)| *from == member.node);
        let mut weights = vec![0.0; places.len()];
        let rule = member.worker.rule(collected.turn).and_then(|rule| rule.geometric());
        match rule.expect("checked above").weights(&known.geometry(at, places), own, &mut weights) {
            Err(error) => {
                member.result = Some(Err(error.into()));
                member.job = None;
            }
            Ok(()) => {
                let terms = places.iter().copied().zip(weights).filter(|(_, w)| *w != 0.0);
                let buffer = member.worker.take_buffer(pool.rows[0].len());
                condensed.push(Condensed { index: *index, terms: terms.collect(), buffer });
            }
        }
    }
    let mut combinations: Vec<Combination<'_, _>> = (condensed.iter_mut())
        .map(|Condensed { terms, buffer, .. }| Combination {
            terms: std::mem::take(terms),
            out: buffer,
        })
        .collect();
    kernel::combine_many(&pool.rows, &mut combinations);
    for Condensed { index, buffer, .. } in condensed {
        let (_, collected) = &collections[collections.partition_point(|(at, _)| *at < index)];
        members[index].worker.apply(collected.turn, buffer);
    }
}

/// What one member's rule decided, and the buffer for the outcome.
struct Condensed {
    index: usize,
    terms: Vec<(usize, f64)>,
    buffer: Vec<f32>,
}

/// What the rules need to know of the pool, every distance computed once.
///
/// Exact and cheaper distances are kept apart, so that no node's result depends on another's rule.
///
/// # Cost
/// Memory: the distinct pairs, at most n²/2; one collection's geometry is n² more, so these are
/// made one at a time.
struct Known {
    index_of: [BTreeMap<(usize, usize), usize>; 2],
    distances: [Vec<f64>; 2],
    norms: BTreeMap<usize, f64>,
    /// by collection: what its rule needs, and where the own vector is
    needs: Vec<(Needs, usize)>,
}

impl Known {
    fn compute(
        members: &mut [Member],
        collections: &[(usize, Collected)],
        places: &[Vec<usize>],
        rows: &[&[f32]],
    ) -> Self {
        let mut index_of: [BTreeMap<(usize, usize), usize>; 2] = Default::default();
        let mut norms: BTreeMap<usize, f64> = BTreeMap::new();
        let mut all_needs = Vec::new();
        for ((index, collected), places) in collections.iter().zip(places) {
            let member = &mut members[*index];
            let own = collected.vectors.iter().position(|(from, _)| *from == member.node);
            let own = own.unwrap_or(0);
            let rule = member.worker.rule(collected.turn).and_then(|rule| rule.geometric());
            let needs = rule.expect("only geometric rules come here").needs();
            let index_of = &mut index_of[kind(needs)];
            for_each_pair(needs, own, places.len(), |i, j| {
                let next = index_of.len();
                index_of.entry(ordered(places[i], places[j])).or_insert(next);
            });
            if needs.has_norms {
                norms.extend(places.iter().map(|place| (*place, f64::NAN)));
            }
            all_needs.push((needs, own));
        }
        let mut distances = [Vec::new(), Vec::new()];
        for ((precision, index_of), distances) in
            PRECISIONS.into_iter().zip(&index_of).zip(&mut distances)
        {
            let mut pairs = vec![(0, 0); index_of.len()];
            index_of.iter().for_each(|(pair, at)| pairs[*at] = *pair);
            distances.resize(pairs.len(), 0.0);
            kernel::squared_distances_in(precision, rows, &pairs, distances);
        }
        for (place, norm) in &mut norms {
            *norm = kernel::dot(rows[*place], rows[*place]);
        }
        Self { index_of, distances, norms, needs: all_needs }
    }

    /// The geometry of one collection.
    fn geometry(&self, collection: usize, places: &[usize]) -> Geometry {
        let (needs, own) = self.needs[collection];
        let (index_of, distances) = (&self.index_of[kind(needs)], &self.distances[kind(needs)]);
        let mut geometry = Geometry::unknown(places.len());
        for_each_pair(needs, own, places.len(), |i, j| {
            let at = index_of[&ordered(places[i], places[j])];
            geometry.set_squared_distance((i, j), distances[at]);
        });
        if needs.has_norms {
            let norms = places.iter().map(|place| self.norms[place]);
            norms.enumerate().for_each(|(i, norm)| geometry.set_squared_norm(i, norm));
        }
        geometry
    }
}

const PRECISIONS: [Precision; 2] = [Precision::Single, Precision::Double];

/// Which of [`PRECISIONS`] a rule needs.
fn kind(needs: Needs) -> usize {
    usize::from(needs.precision() == Precision::Double)
}

fn ordered(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

fn for_each_pair(needs: Needs, own: usize, count: usize, mut act: impl FnMut(usize, usize)) {
    match needs.pairs {
        Pairs::None => {}
        Pairs::Own => (0..count).filter(|j| *j != own).for_each(|j| act(own, j)),
        Pairs::All | Pairs::Exact => (0..count).for_each(|i| (0..i).for_each(|j| act(i, j))),
    }
}
