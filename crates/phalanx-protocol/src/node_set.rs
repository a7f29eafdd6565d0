//! A set of nodes as bits, in memory and on the wire.
use phalanx_robust::{StateError, StateReader, StateWriter};

use crate::machine::{NodeId, Reader, Writer};

/// A set of nodes; 8 bytes per 64 of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct NodeSet {
    /// bit i of word w is node 64 w + i; the last word is not 0, so that equal sets are equal
    words: Vec<u64>,
}

impl NodeSet {
    /// Puts a node in; whether it was not there before.
    pub fn insert(&mut self, node: NodeId) -> bool {
        let (word, bit) = (node.index() / 64, 1 << (node.index() % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let is_new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        is_new
    }

    /// Whether a node is in it.
    pub fn contains(&self, node: NodeId) -> bool {
        let word = self.words.get(node.index() / 64);
        word.is_some_and(|word| word & (1 << (node.index() % 64)) != 0)
    }

    /// How many nodes are in it.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether everybody in it satisfies a condition.
    pub fn all(&self, is_so: impl FnMut(NodeId) -> bool) -> bool {
        self.iter().all(is_so)
    }

    /// Its nodes, ascending.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> {
        let nodes = (0..self.words.len() * 64).map(|index| NodeId(index as u16));
        nodes.filter(|node| self.contains(*node))
    }

    /// Appends it to a message or a snapshot.
    pub fn write(&self, out: &mut dyn Writer) {
        out.u16(self.words.len() as u16);
        self.words.iter().for_each(|word| out.u64(*word));
    }

    /// # Errors
    /// When the input ends, is longer than the nodes there can be, or is not the one way to write
    /// its set.
    pub fn read<R: Reader>(input: &mut R) -> Result<Self, R::Error> {
        let count = usize::from(input.u16()?);
        if count > input.nodes_max().div_ceil(64).min(1024) {
            return Err(input.malformed("a set with more nodes than there are"));
        }
        let words = (0..count).map(|_| input.u64()).collect::<Result<Vec<_>, _>>()?;
        match words.last() {
            Some(0) => Err(input.malformed("a set that ends in nobody")),
            _ => Ok(Self { words }),
        }
    }

    /// Appends it to a snapshot.
    pub fn save(&self, out: &mut StateWriter) {
        self.write(out);
    }

    /// # Errors
    /// When the snapshot does not fit.
    pub fn load(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Self::read(input)
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        let mut set = Self::default();
        for node in nodes {
            set.insert(node);
        }
        set
    }
}
