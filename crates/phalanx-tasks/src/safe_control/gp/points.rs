//! Training inputs in blocks of rows, one input after the other within a block.
use super::pass::{BLOCK, Block};
use super::samples::Samples;
use super::standardisation::Scale;

/// Standardised inputs; rows behind the last are zero.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Points {
    pub rows: usize,
    pub inputs: usize,
    // Block b of input d is at b · inputs + d.
    blocks: Vec<Block>,
}

impl Points {
    pub(super) fn new(samples: &Samples, scales: &[Scale]) -> Self {
        let (rows, inputs) = (samples.rows(), samples.inputs());
        let mut blocks = vec![[0.0; BLOCK]; rows.div_ceil(BLOCK) * inputs];
        for row in 0..rows {
            for ((d, value), scale) in samples.input(row).iter().enumerate().zip(scales) {
                blocks[row / BLOCK * inputs + d][row % BLOCK] = scale.standard(*value);
            }
        }
        Self { rows, inputs, blocks }
    }

    /// One block of rows: a [`Block`] for each input.
    #[inline(always)]
    pub(super) fn block(&self, block: usize) -> &[Block] {
        &self.blocks[block * self.inputs..(block + 1) * self.inputs]
    }

    pub(super) fn blocks(&self) -> usize {
        self.rows.div_ceil(BLOCK)
    }

    #[inline(always)]
    pub(super) fn at(&self, row: usize, input: usize) -> f64 {
        self.blocks[row / BLOCK * self.inputs + input][row % BLOCK]
    }
}
