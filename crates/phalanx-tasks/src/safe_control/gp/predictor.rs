//! Predictions: mean and slope of all outputs in one pass over the training rows.
use std::marker::PhantomData;
use std::sync::Arc;

use super::factor::solve_lower;
use super::kernel::{Kernel, MaternFiveHalves, Profile, SquaredExponential};
use super::model::{Fast, GaussianProcess};
use super::pass::{
    BLOCK, Block, LANES, Lanes, Pass, add_product, add_weighted, dispatch, total, width,
};

/// A model with the buffers that predictions need: calls allocate nothing.
#[derive(Debug, Clone)]
pub struct Predictor {
    model: Arc<GaussianProcess>,
    buffers: Buffers,
    // Covariances of one point with all rows, by output; each with room for whole blocks.
    covariances: Vec<f64>,
}

#[derive(Debug, Clone)]
struct Buffers {
    // The point in standard units.
    at: Vec<f64>,
    // Differences to the rows of a block, by input, and their squares.
    differences: Vec<Block>,
    squares: Vec<Block>,
    // Sums over rows: by output, by output and input, by pair of inputs.
    values: Vec<Lanes>,
    slopes: Vec<Lanes>,
    pairs: Vec<Lanes>,
}

impl Predictor {
    /// A predictor of a model.
    pub fn new(model: Arc<GaussianProcess>) -> Self {
        let (inputs, outputs) = (model.inputs(), model.outputs());
        let (block, lanes) = ([0.0; BLOCK], [0.0; LANES]);
        let buffers = Buffers {
            at: vec![0.0; inputs],
            differences: vec![block; inputs],
            squares: vec![block; inputs],
            values: vec![lanes; outputs],
            slopes: vec![lanes; outputs * inputs],
            pairs: vec![lanes; inputs * (inputs + 1) / 2],
        };
        let stride = model.fast.points.blocks() * BLOCK;
        Self { buffers, covariances: vec![0.0; stride * outputs], model }
    }

    /// The model.
    pub fn model(&self) -> &Arc<GaussianProcess> {
        &self.model
    }

    fn place(&mut self, at: &[f64]) {
        let scales = &self.model.standardisation().inputs;
        assert_eq!(at.len(), scales.len(), "one number for each input");
        for ((to, at), scale) in self.buffers.at.iter_mut().zip(at).zip(scales) {
            *to = scale.standard(*at);
        }
    }

    /// Writes the mean of each output at a point. Where the point is not finite, nor is the mean.
    ///
    /// # Panics
    /// When a slice does not have one number for each input or output.
    pub fn mean(&mut self, at: &[f64], mean: &mut [f64]) {
        self.place(at);
        let (fast, buffers) = (&self.model.fast, &mut self.buffers);
        match self.model.kernel() {
            Kernel::SquaredExponential | Kernel::SquaredExponentialLinear => {
                dispatch(Sums::<SquaredExponential, false>::new(fast, buffers));
            }
            Kernel::MaternFiveHalves => {
                dispatch(Sums::<MaternFiveHalves, false>::new(fast, buffers));
            }
        }
        self.finish_mean(mean);
    }

    /// Writes mean and slope of each output at a point.
    ///
    /// # Shape
    /// `slope` is outputs × inputs.
    ///
    /// # Cost
    /// `O(N · inputs · outputs)`, one pass over the rows.
    ///
    /// # Panics
    /// When a slice has another size.
    pub fn mean_and_slope(&mut self, at: &[f64], mean: &mut [f64], slope: &mut [f64]) {
        self.place(at);
        let (fast, buffers) = (&self.model.fast, &mut self.buffers);
        match self.model.kernel() {
            Kernel::SquaredExponential | Kernel::SquaredExponentialLinear => {
                dispatch(Sums::<SquaredExponential, true>::new(fast, buffers));
            }
            Kernel::MaternFiveHalves => {
                dispatch(Sums::<MaternFiveHalves, true>::new(fast, buffers));
            }
        }
        self.finish_mean(mean);
        let scales = self.model.standardisation();
        let inputs = scales.inputs.len();
        assert_eq!(slope.len(), inputs * scales.outputs.len(), "a slope is outputs × inputs");
        for (e, output) in scales.outputs.iter().enumerate() {
            for (d, input) in scales.inputs.iter().enumerate() {
                let place = e * inputs + d;
                let smooth = 2.0 * fast_weight(&self.model, place);
                let standard =
                    smooth * total(self.buffers.slopes[place]) + self.model.fast.lines[place];
                slope[place] = output.deviation / input.deviation * standard;
            }
        }
    }

    fn finish_mean(&self, mean: &mut [f64]) {
        let scales = &self.model.standardisation().outputs;
        assert_eq!(mean.len(), scales.len(), "one number for each output");
        let inputs = self.buffers.at.len();
        for (e, (mean, scale)) in mean.iter_mut().zip(scales).enumerate() {
            let line = &self.model.fast.lines[e * inputs..(e + 1) * inputs];
            let along: f64 = line.iter().zip(&self.buffers.at).map(|(slope, at)| slope * at).sum();
            *mean = scale.mean + scale.deviation * (total(self.buffers.values[e]) + along);
        }
    }

    /// Writes the variance of each output's value at a point, without noise.
    ///
    /// # Cost
    /// `O(N²)` for each output.
    ///
    /// # Panics
    /// When a slice does not have one number for each input or output.
    pub fn variance(&mut self, at: &[f64], variance: &mut [f64]) {
        self.place(at);
        self.covariances_to();
        let scales = &self.model.standardisation().outputs;
        assert_eq!(variance.len(), scales.len(), "one number for each output");
        let stride = self.model.fast.points.blocks() * BLOCK;
        for (e, (variance, scale)) in variance.iter_mut().zip(scales).enumerate() {
            let weights = &self.model.fast.weights[e];
            let line: f64 =
                weights.slopes.iter().zip(&self.buffers.at).map(|(c, at)| c * at * at).sum();
            let prior = weights.variance + line;
            let covariances = &mut self.covariances[e * stride..(e + 1) * stride];
            let known = solve_lower(self.model.lower(e), covariances);
            // Written so that NaN stays what it is.
            let left = if known > prior { 0.0 } else { prior - known };
            *variance = scale.deviation * scale.deviation * left;
        }
    }

    /// Covariances of the placed point with all rows, for each output.
    pub(super) fn covariances_to(&mut self) {
        let (fast, buffers) = (&self.model.fast, &mut self.buffers);
        let covariances = &mut self.covariances;
        match self.model.kernel() {
            Kernel::SquaredExponential | Kernel::SquaredExponentialLinear => {
                let profile = PhantomData::<SquaredExponential>;
                dispatch(Covariances { fast, buffers, covariances, profile });
            }
            Kernel::MaternFiveHalves => {
                let profile = PhantomData::<MaternFiveHalves>;
                dispatch(Covariances { fast, buffers, covariances, profile });
            }
        }
    }

    /// Writes the Hessian of `weights · mean` at a point, inputs × inputs.
    ///
    /// # Panics
    /// When a slice has another size.
    pub fn curve(&mut self, at: &[f64], weights: &[f64], hessian: &mut [f64]) {
        self.place(at);
        let scales = self.model.standardisation();
        let inputs = scales.inputs.len();
        assert_eq!(weights.len(), scales.outputs.len(), "one weight for each output");
        assert_eq!(hessian.len(), inputs * inputs, "a Hessian is inputs × inputs");
        hessian.fill(0.0);
        for (output, (weight, scale)) in weights.iter().zip(&scales.outputs).enumerate() {
            if *weight == 0.0 {
                continue;
            }
            let (fast, buffers) = (&self.model.fast, &mut self.buffers);
            let along = match self.model.kernel() {
                Kernel::SquaredExponential | Kernel::SquaredExponentialLinear => {
                    let profile = PhantomData::<SquaredExponential>;
                    dispatch(Curvature { fast, buffers, output, profile })
                }
                Kernel::MaternFiveHalves => {
                    let profile = PhantomData::<MaternFiveHalves>;
                    dispatch(Curvature { fast, buffers, output, profile })
                }
            };
            let mut pair = 0;
            for d in 0..inputs {
                for f in 0..=d {
                    let (by_d, by_f) = (output * inputs + d, output * inputs + f);
                    let across = fast_weight(&self.model, by_d) * fast_weight(&self.model, by_f);
                    let mut entry = 4.0 * across * total(self.buffers.pairs[pair]);
                    if d == f {
                        entry += 2.0 * fast_weight(&self.model, by_d) * along;
                    }
                    let units = scales.inputs[d].deviation * scales.inputs[f].deviation;
                    hessian[d * inputs + f] += weight * scale.deviation / units * entry;
                    pair += 1;
                }
            }
        }
        for d in 0..inputs {
            for f in 0..d {
                hessian[f * inputs + d] = hessian[d * inputs + f];
            }
        }
    }
}

/// `1 / l²` at a place of outputs × inputs.
fn fast_weight(model: &GaussianProcess, place: usize) -> f64 {
    model.fast.inverse_squares[place]
}

impl Buffers {
    /// Differences of the point to the rows of a block.
    #[inline(always)]
    fn differ(&mut self, fast: &Fast, (b, width): (usize, usize)) {
        let columns = fast.points.block(b).iter().zip(&self.at);
        let out = self.differences.iter_mut().zip(&mut self.squares);
        for ((column, at), (difference, square)) in columns.zip(out) {
            let out = difference[..width].iter_mut().zip(&mut square[..width]);
            for ((difference, square), row) in out.zip(&column[..width]) {
                let t = at - row;
                *difference = t;
                *square = t * t;
            }
        }
    }

    /// `Σ_d (z_d − a_d)² / l_d²` of an output for each row of the block.
    #[inline(always)]
    fn distances(&self, weights: &[f64], width: usize) -> Block {
        let mut s = [0.0; BLOCK];
        add_weighted(&mut s[..width], &self.squares, weights);
        s
    }
}

/// Sums over rows of `α k`, and with slopes of `α dk/ds (z_d − a_d)`.
struct Sums<'a, P, const SLOPES: bool> {
    fast: &'a Fast,
    buffers: &'a mut Buffers,
    profile: PhantomData<P>,
}

impl<'a, P, const SLOPES: bool> Sums<'a, P, SLOPES> {
    fn new(fast: &'a Fast, buffers: &'a mut Buffers) -> Self {
        Self { fast, buffers, profile: PhantomData }
    }
}

impl<P: Profile, const SLOPES: bool> Pass for Sums<'_, P, SLOPES> {
    type Result = ();

    #[inline(always)]
    fn run(self) {
        let (fast, buffers) = (self.fast, self.buffers);
        let (inputs, outputs, width) = (fast.points.inputs, buffers.values.len(), width());
        buffers.values.fill([0.0; LANES]);
        buffers.slopes.fill([0.0; LANES]);
        for b in 0..fast.points.blocks() {
            buffers.differ(fast, (b, width));
            for e in 0..outputs {
                let weights = &fast.inverse_squares[e * inputs..(e + 1) * inputs];
                let s = buffers.distances(weights, width);
                let (mut k, mut g): (Block, Block) = ([0.0; BLOCK], [0.0; BLOCK]);
                let alpha = &fast.alpha[b * outputs + e][..width];
                let out = k[..width].iter_mut().zip(&mut g[..width]);
                for ((k, g), (s, alpha)) in out.zip(s[..width].iter().zip(alpha)) {
                    let (value, slope) = P::value_and_slope(*s);
                    *k = value;
                    *g = alpha * slope;
                }
                add_product(&mut buffers.values[e], alpha, &k[..width]);
                if SLOPES {
                    let sums = &mut buffers.slopes[e * inputs..(e + 1) * inputs];
                    for (sum, difference) in sums.iter_mut().zip(&buffers.differences) {
                        add_product(sum, &g[..width], &difference[..width]);
                    }
                }
            }
        }
    }
}

/// Sums over rows of `α d²k/ds² (z_d − a_d)(z_f − a_f)` of one output; returns that of `α dk/ds`.
struct Curvature<'a, P> {
    fast: &'a Fast,
    buffers: &'a mut Buffers,
    output: usize,
    profile: PhantomData<P>,
}

impl<P: Profile> Pass for Curvature<'_, P> {
    type Result = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let (fast, buffers, output) = (self.fast, self.buffers, self.output);
        let (inputs, outputs, width) = (fast.points.inputs, buffers.values.len(), width());
        let weights = &fast.inverse_squares[output * inputs..(output + 1) * inputs];
        buffers.pairs.fill([0.0; LANES]);
        let mut along = [0.0; LANES];
        for b in 0..fast.points.blocks() {
            buffers.differ(fast, (b, width));
            let s = buffers.distances(weights, width);
            let (mut g, mut c): (Block, Block) = ([0.0; BLOCK], [0.0; BLOCK]);
            let alpha = &fast.alpha[b * outputs + output][..width];
            let out = g[..width].iter_mut().zip(&mut c[..width]);
            for ((g, c), (s, alpha)) in out.zip(s[..width].iter().zip(alpha)) {
                let (slope, curvature) = P::slope_and_curvature(*s);
                *g = slope;
                *c = alpha * curvature;
            }
            add_product(&mut along, alpha, &g[..width]);
            let mut pair = 0;
            for d in 0..inputs {
                let mut weighted: Block = [0.0; BLOCK];
                let terms = c[..width].iter().zip(&buffers.differences[d][..width]);
                weighted[..width].iter_mut().zip(terms).for_each(|(w, (c, t))| *w = c * t);
                for difference in &buffers.differences[..=d] {
                    let sum = &mut buffers.pairs[pair];
                    add_product(sum, &weighted[..width], &difference[..width]);
                    pair += 1;
                }
            }
        }
        total(along)
    }
}

/// Covariances of the point with all rows, by output.
struct Covariances<'a, P> {
    fast: &'a Fast,
    buffers: &'a mut Buffers,
    covariances: &'a mut [f64],
    profile: PhantomData<P>,
}

impl<P: Profile> Pass for Covariances<'_, P> {
    type Result = ();

    #[inline(always)]
    fn run(self) {
        let Self { fast, buffers, covariances, .. } = self;
        let (inputs, stride) = (fast.points.inputs, fast.points.blocks() * BLOCK);
        let width = width();
        for b in 0..fast.points.blocks() {
            buffers.differ(fast, (b, width));
            let block = fast.points.block(b);
            for (e, weights) in fast.weights.iter().enumerate() {
                let scales = &fast.inverse_squares[e * inputs..(e + 1) * inputs];
                let s = buffers.distances(scales, width);
                let place = e * stride + b * BLOCK;
                let out = &mut covariances[place..place + width];
                for (out, s) in out.iter_mut().zip(&s[..width]) {
                    *out = weights.variance * P::value_and_slope(*s).0;
                }
                for (d, slope) in weights.slopes.iter().enumerate() {
                    let at = slope * buffers.at[d];
                    out.iter_mut().zip(&block[d][..width]).for_each(|(out, row)| *out += at * row);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pass::on_every_width;
    use super::super::{Parameters, Samples, Standardisation};
    use super::*;
    use crate::safe_control::stream::Stream;

    /// A pass with buffers of its own, which returns the sums.
    struct Alone<'a, P> {
        fast: &'a Fast,
        buffers: Buffers,
        profile: PhantomData<P>,
    }

    impl<P: Profile> Pass for Alone<'_, P> {
        type Result = (Vec<Lanes>, Vec<Lanes>);

        #[inline(always)]
        fn run(mut self) -> Self::Result {
            Sums::<P, true>::new(self.fast, &mut self.buffers).run();
            (self.buffers.values, self.buffers.slopes)
        }
    }

    fn sums<P: Profile>(predictor: &Predictor) -> Vec<(Vec<Lanes>, Vec<Lanes>)> {
        on_every_width(|| Alone {
            fast: &predictor.model.fast,
            buffers: predictor.buffers.clone(),
            profile: PhantomData::<P>,
        })
    }

    #[test]
    fn every_width_of_register_gives_the_same_bits() {
        let mut stream = Stream::new(3);
        let (rows, inputs) = (77, 5);
        let points = stream.rows(rows, &[-2.0; 5], &[2.0; 5]);
        let targets = points.chunks_exact(inputs).flat_map(|z| [z[0].sin() * z[1], z[2] - z[3]]);
        let samples = Samples::new((inputs, 2), points.clone(), targets.collect()).unwrap();
        for kernel in [Kernel::SquaredExponential, Kernel::MaternFiveHalves] {
            let scales = Standardisation::of(&samples).unwrap();
            let parameters = vec![Parameters::start(kernel, inputs, 1.3); 2];
            let model = GaussianProcess::with_parameters(&samples, scales, kernel, parameters);
            let model = Arc::new(model.unwrap());
            let mut predictor = Predictor::new(model);
            predictor.place(&[0.3, -0.7, 1.1, 0.2, -1.9]);
            let left = match kernel {
                Kernel::MaternFiveHalves => sums::<MaternFiveHalves>(&predictor),
                _ => sums::<SquaredExponential>(&predictor),
            };
            assert!(left.iter().all(|sums| *sums == left[0]), "{}", kernel.name());
        }
    }
}
