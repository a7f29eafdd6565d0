//! A fully connected layer over a slice of the flat parameters.
use super::elementwise::widened;
use super::matrix::{Layout, View, ViewMut, Write, multiply};

/// Where a layer `y = W x + b` lies in the flat parameters: W row by row, then b.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dense {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) offset: usize,
}

impl Dense {
    pub(super) const fn new(offset: usize, inputs: usize, outputs: usize) -> Self {
        Self { inputs, outputs, offset }
    }

    /// Where the next layer begins.
    pub(super) const fn end(self) -> usize {
        self.offset + (self.inputs + 1) * self.outputs
    }

    fn weights(self, params: &[f32]) -> View<'_> {
        let weights = &params[self.offset..self.offset + self.inputs * self.outputs];
        View::new(weights, Layout::row_major(self.outputs, self.inputs))
    }

    pub(super) fn bias(self, params: &[f32]) -> &[f32] {
        &params[self.end() - self.outputs..self.end()]
    }

    /// `W x` without the bias.
    ///
    /// # Shape
    /// `x`: batch × inputs, any strides; `out`: outputs × batch.
    pub(super) fn forward(self, params: &[f32], x: View<'_>, out: &mut [f32]) {
        let to = ViewMut::new(out, Layout::column_major(x.rows(), self.outputs));
        multiply(x, self.weights(params).transposed(), Write::Replace, to);
    }

    /// The weights' part of the gradient.
    ///
    /// # Shape
    /// `x`: batch × inputs; `slope`: outputs × batch; `grad`: all d parameters.
    pub(super) fn weight_gradient(
        self,
        x: View<'_>,
        slope: &[f32],
        write: Write,
        grad: &mut [f32],
    ) {
        let weights = &mut grad[self.offset..self.offset + self.inputs * self.outputs];
        let slope = View::new(slope, Layout::row_major(self.outputs, x.rows()));
        let to = ViewMut::new(weights, Layout::row_major(self.outputs, self.inputs));
        multiply(slope, x, write, to);
    }

    /// The bias' part of the gradient, from sums over the batch.
    pub(super) fn write_bias(self, sums: &[f64], grad: &mut [f32]) {
        for (out, &sum) in grad[self.end() - self.outputs..self.end()].iter_mut().zip(sums) {
            *out = sum as f32;
        }
    }

    /// The gradient with respect to the input: `slope` is outputs × batch, `to` batch × inputs.
    pub(super) fn input_gradient(self, params: &[f32], slope: View<'_>, to: ViewMut<'_>) {
        multiply(slope.transposed(), self.weights(params), Write::Replace, to);
    }
}

widened! {
    /// Adds to `sums` the sum of every row of `slope`: the gradient of a bias.
    ///
    /// # Shape
    /// `slope`: outputs × batch; `sums`: outputs.
    pub(super) fn add_row_sums(slope: &[f32], batch: usize, sums: &mut [f64]) {
        for (sum, row) in sums.iter_mut().zip(slope.chunks_exact(batch)) {
            // Eight sums side by side, then one after the other: an order that no width changes.
            let (eights, rest) = row.as_chunks::<8>();
            let mut lanes = [0.0; 8];
            for eight in eights {
                for lane in 0..8 {
                    lanes[lane] += f64::from(eight[lane]);
                }
            }
            let tail: f64 = rest.iter().map(|&value| f64::from(value)).sum();
            *sum += lanes.iter().sum::<f64>() + tail;
        }
    }
}
