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
    let geometries = geometries(members, &collections, &places, &pool.rows);
    let mut condensed: Vec<Condensed> = Vec::new();
    for (((index, collected), places), geometry) in collections.iter().zip(&places).zip(&geometries)
    {
        let member = &mut members[*index];
        let own = collected.vectors.iter().position(|(from, _)| *from == member.node);
        let mut weights = vec![0.0; places.len()];
        let rule = member.worker.rule(collected.turn).and_then(|rule| rule.geometric());
        match rule.expect("checked above").weights(geometry, own, &mut weights) {
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

/// Each collection's geometry, every distance computed once.
fn geometries(
    members: &mut [Member],
    collections: &[(usize, Collected)],
    places: &[Vec<usize>],
    rows: &[&[f32]],
) -> Vec<Geometry> {
    // Exact and cheaper distances apart, so that no node's result depends on another's rule.
    let mut wanted: [BTreeMap<(usize, usize), usize>; 2] = Default::default();
    let is_exact = |needs: Needs| usize::from(needs.precision() == Precision::Double);
    let mut norms: BTreeMap<usize, f64> = BTreeMap::new();
    let mut needs_of = Vec::new();
    for ((index, collected), places) in collections.iter().zip(places) {
        let member = &mut members[*index];
        let own = collected.vectors.iter().position(|(from, _)| *from == member.node).unwrap_or(0);
        let rule = member.worker.rule(collected.turn).and_then(|rule| rule.geometric());
        let needs = rule.expect("only geometric rules come here").needs();
        for_each_pair(needs, own, places.len(), |i, j| {
            let (a, b) = (places[i].min(places[j]), places[i].max(places[j]));
            let wanted = &mut wanted[is_exact(needs)];
            let next = wanted.len();
            wanted.entry((a, b)).or_insert(next);
        });
        if needs.has_norms {
            norms.extend(places.iter().map(|place| (*place, f64::NAN)));
        }
        needs_of.push((needs, own));
    }
    let precisions = [Precision::Single, Precision::Double];
    let mut distances = [Vec::new(), Vec::new()];
    for ((precision, wanted), distances) in precisions.into_iter().zip(&wanted).zip(&mut distances)
    {
        let mut pairs = vec![(0, 0); wanted.len()];
        wanted.iter().for_each(|(pair, at)| pairs[*at] = *pair);
        distances.resize(pairs.len(), 0.0);
        kernel::squared_distances_in(precision, rows, &pairs, distances);
    }
    for (place, norm) in &mut norms {
        *norm = kernel::dot(rows[*place], rows[*place]);
    }
    let assemble = |(places, (needs, own)): (&Vec<usize>, &(Needs, usize))| {
        let mut geometry = Geometry::unknown(places.len());
        for_each_pair(*needs, *own, places.len(), |i, j| {
            let (a, b) = (places[i].min(places[j]), places[i].max(places[j]));
            let which = is_exact(*needs);
            geometry.set_squared_distance((i, j), distances[which][wanted[which][&(a, b)]]);
        });
        if needs.has_norms {
            (0..places.len()).for_each(|i| geometry.set_squared_norm(i, norms[&places[i]]));
        }
        geometry
    };
    places.iter().zip(&needs_of).map(assemble).collect()
}

fn for_each_pair(needs: Needs, own: usize, count: usize, mut act: impl FnMut(usize, usize)) {
    match needs.pairs {
        Pairs::None => {}
        Pairs::Own => (0..count).filter(|j| *j != own).for_each(|j| act(own, j)),
        Pairs::All | Pairs::Exact => (0..count).for_each(|i| (0..i).for_each(|j| act(i, j))),
    }
}
