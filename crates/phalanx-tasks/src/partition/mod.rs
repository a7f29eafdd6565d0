//! Who gets which training samples: from identical to as different as can be.
//!
//! # Source
//! Specification 11, section 5; specification 01, section 7 for `dirichlet-per-worker`.
use phalanx_robust::Rng;

mod dirichlet;
mod similarity;

/// How samples are divided among nodes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scheme {
    /// shuffled, then cut evenly; the remainder goes to the first nodes, one each
    Iid,
    /// a share `gamma` of the samples, the first ones of the data set, iid; the others by label
    GammaSimilarity {
        /// 0: as `LabelSorted`; 1: as `Iid`
        gamma: f64,
    },
    /// the same with a random share instead of the first samples
    GammaSimilarityRandom {
        /// 0: as `LabelSorted`; 1: as `Iid`
        gamma: f64,
    },
    /// per class, the nodes' shares are Dirichlet(α, …, α): a true partition
    DirichletPerClass {
        /// α > 0; the smaller, the more different the nodes
        alpha: f64,
    },
    /// per node, the classes' shares are Dirichlet(α, …, α): nodes draw independently and overlap
    DirichletPerWorker {
        /// α > 0; the smaller, the more different the nodes
        alpha: f64,
    },
    /// sorted by label, then cut evenly
    LabelSorted,
}

/// The samples of every node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// per node, at least one sample, ascending
    pub shards: Vec<Vec<u32>>,
    /// samples that were given to nodes which would have had none
    pub given: usize,
}

/// Why samples cannot be divided.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PartitionError {
    /// Not even one sample per node.
    #[error("`{samples}` training samples cannot be divided among `{nodes}` nodes")]
    TooFew {
        /// training samples
        samples: usize,
        /// nodes
        nodes: usize,
    },
    /// A parameter that is no parameter.
    #[error("`{name}` is `{value}`, expected {expected}")]
    Parameter {
        /// alpha or gamma
        name: &'static str,
        /// its value
        value: f64,
        /// what is admissible
        expected: &'static str,
    },
}

impl Scheme {
    fn check(self) -> Result<(), PartitionError> {
        let refuse =
            |name, value, expected| Err(PartitionError::Parameter { name, value, expected });
        match self {
            Self::GammaSimilarity { gamma } | Self::GammaSimilarityRandom { gamma }
                if !(0.0..=1.0).contains(&gamma) =>
            {
                refuse("gamma", gamma, "0 to 1")
            }
            Self::DirichletPerClass { alpha } | Self::DirichletPerWorker { alpha }
                if !(alpha > 0.0 && alpha.is_finite()) =>
            {
                refuse("alpha", alpha, "a positive number")
            }
            _ => Ok(()),
        }
    }
}

/// Divides the samples with these labels among `nodes` nodes.
///
/// # Guarantee
/// No shard is empty. Every scheme but `DirichletPerWorker` puts each sample into exactly one
/// shard; that one puts a sample at most once into the same shard. Where the draw of
/// `DirichletPerClass` leaves a node without samples, it is given one of the largest shard (of
/// several the first), which is what [`Partition::given`] counts; where all the floors of
/// `DirichletPerWorker` are 0, the node gets one sample of its most probable class. Both rules
/// are ours (`chosen`): the published codes leave such nodes empty or draw again without end.
///
/// # Errors
/// [`PartitionError`] when there are fewer samples than nodes, no nodes, or a parameter is out of
/// its range.
///
/// # Panics
/// When a label is not below `classes`, which a data set excludes.
pub fn partition(
    scheme: Scheme,
    (labels, classes): (&[u8], usize),
    nodes: usize,
    rng: &mut Rng,
) -> Result<Partition, PartitionError> {
    scheme.check()?;
    if nodes == 0 || labels.len() < nodes {
        return Err(PartitionError::TooFew { samples: labels.len(), nodes });
    }
    let all: Vec<u32> = (0..labels.len() as u32).collect();
    let mut shards = match scheme {
        Scheme::Iid => similarity::similar(all, Vec::new(), labels, nodes, rng),
        Scheme::LabelSorted => similarity::similar(Vec::new(), all, labels, nodes, rng),
        Scheme::GammaSimilarity { gamma } => {
            let (first, rest) = similarity::cut(all, gamma);
            similarity::similar(first, rest, labels, nodes, rng)
        }
        Scheme::GammaSimilarityRandom { gamma } => {
            let mut all = all;
            rng.shuffle(&mut all);
            let (first, rest) = similarity::cut(all, gamma);
            similarity::similar(first, rest, labels, nodes, rng)
        }
        Scheme::DirichletPerClass { alpha } => {
            dirichlet::per_class(by_class(labels, classes), alpha, nodes, rng)
        }
        Scheme::DirichletPerWorker { alpha } => {
            dirichlet::per_worker(by_class(labels, classes), alpha, nodes, rng)
        }
    };
    let given = fill_empty(&mut shards);
    shards.iter_mut().for_each(|shard| shard.sort_unstable());
    Ok(Partition { shards, given })
}

/// The samples of each class, ascending.
fn by_class(labels: &[u8], classes: usize) -> Vec<Vec<u32>> {
    let mut members = vec![Vec::new(); classes];
    for (index, label) in labels.iter().enumerate() {
        members[usize::from(*label)].push(index as u32);
    }
    members
}

/// Moves one sample of the largest shard to each empty one.
///
/// A largest shard with one sample would mean fewer samples than nodes, which was refused.
fn fill_empty(shards: &mut [Vec<u32>]) -> usize {
    let mut given = 0;
    while let Some(empty) = shards.iter().position(Vec::is_empty) {
        let sizes = shards.iter().enumerate().map(|(node, shard)| (shard.len(), node));
        let (_, largest) =
            sizes.max_by_key(|(size, node)| (*size, usize::MAX - node)).expect("n>0");
        let sample = shards[largest].pop().expect("there are at least as many samples as nodes");
        shards[empty].push(sample);
        given += 1;
    }
    given
}
