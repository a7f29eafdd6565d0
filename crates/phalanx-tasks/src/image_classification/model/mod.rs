//! Classifiers with forward and backward of their own, over one flat parameter vector.
//!
//! Every model is single-threaded and sums in an order that depends only on shapes and, through
//! the matrix product, on the CPU type; parameters are laid out as PyTorch lists and stores them.
mod batch_norm;
mod cifar_cnn;
mod convolution;
mod dense;
mod direct;
mod elementwise;
mod initial;
mod loss;
mod matrix;
mod mnist_cnn;
mod perceptron;
mod winograd;
mod workspace;

pub use cifar_cnn::CifarCnn;
pub use mnist_cnn::MnistCnn;
pub use perceptron::Perceptron;

use phalanx_robust::{Rng, StateError, StateReader, StateWriter};

/// Images per pass when a model is evaluated.
const EVALUATION_BLOCK: usize = 50;

/// How layers behave that differ between training and evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As the published MoNNA simulator runs: training passes are evaluation passes, so dropout
    /// never acts and batch normalisation is affine with running mean 0 and variance 1 forever.
    Published,
    /// As the model is described: batch statistics and dropout in training, running statistics
    /// in evaluation.
    Paper,
}

/// What [`Model::evaluate`] found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// samples whose largest logit is that of their label
    pub correct: usize,
    /// sum of the negative log-likelihoods; not finite when the parameters have diverged
    pub loss_sum: f64,
}

/// A classifier whose parameters are one flat vector that somebody else holds.
///
/// # Shape
/// `params` and `grad`: [`Model::dim`]; `images`: batch × [`Model::input_len`], row by row, an
/// image channel by channel; `labels`: batch, below [`Model::classes`]. The batch may have any
/// size from 1 and may change from call to call.
///
/// # Guarantee
/// Given the same state and arguments every call returns the same bits on the same CPU type.
/// Parameters that hold a NaN give a loss that is not finite; so does whatever overflows, unless
/// ReLU cuts it off as −∞. Nothing of the kind panics.
///
/// # Panics
/// When a slice has the wrong length, a batch is empty or a label is out of range.
pub trait Model: Send {
    /// Number of parameters, d.
    fn dim(&self) -> usize;

    /// Numbers per image.
    fn input_len(&self) -> usize;

    /// Number of classes.
    fn classes(&self) -> usize;

    /// Draws initial parameters.
    fn init(&self, rng: &mut Rng, out: &mut [f32]);

    /// Writes the gradient of the mean negative log-likelihood and returns that mean.
    ///
    /// A training pass: in [`Mode::Paper`] it draws dropout masks and moves running statistics.
    fn loss_gradient(
        &mut self,
        params: &[f32],
        images: &[f32],
        labels: &[u8],
        grad: &mut [f32],
    ) -> f64;

    /// The gradient of a training pass that leaves no trace: what [`Model::save`] writes is the
    /// same before and after.
    ///
    /// This is the gradient "of the same batch with other labels" that label flipping asks for,
    /// at the cost of one training pass. The dropout masks are those of the *next*
    /// [`Model::loss_gradient`], not those of the last.
    fn probe_gradient(
        &mut self,
        params: &[f32],
        images: &[f32],
        labels: &[u8],
        grad: &mut [f32],
    ) -> f64 {
        self.loss_gradient(params, images, labels, grad)
    }

    /// Class scores of an evaluation pass.
    ///
    /// # Shape
    /// `out`: batch × classes, row by row.
    fn logits(&mut self, params: &[f32], images: &[f32], out: &mut [f32]);

    /// The same model for another node: it shares this one's buffers, but neither running
    /// statistics nor dropout stream.
    fn sibling(&self, dropout: Rng) -> Box<dyn Model>;

    /// Bytes of the buffers that siblings share, as grown so far: one set per thread that has
    /// computed, not one per node.
    fn workspace_bytes(&self) -> u64;

    /// Bytes that this model holds for itself.
    fn own_bytes(&self) -> u64 {
        0
    }

    /// Appends what a training pass depends on and peers never see: running statistics and the
    /// dropout stream.
    fn save(&self, _out: &mut StateWriter) {}

    /// Reads what [`Model::save`] wrote.
    ///
    /// # Errors
    /// When the snapshot does not fit.
    fn load(&mut self, _input: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }

    /// Counts correct predictions and sums losses.
    fn evaluate(&mut self, params: &[f32], images: &[f32], labels: &[u8]) -> Evaluation {
        let (classes, input) = (self.classes(), self.input_len());
        assert_eq!(images.len(), labels.len() * input, "one label per image");
        assert_labels(labels, classes);
        let mut found = Evaluation { correct: 0, loss_sum: 0.0 };
        let mut scores = vec![0.0; EVALUATION_BLOCK.min(labels.len()) * classes];
        let blocks = images.chunks(EVALUATION_BLOCK * input);
        for (images, labels) in blocks.zip(labels.chunks(EVALUATION_BLOCK)) {
            let scores = &mut scores[..labels.len() * classes];
            self.logits(params, images, scores);
            for (scores, &label) in scores.chunks_exact(classes).zip(labels) {
                found.correct += usize::from(loss::best_class(scores) == usize::from(label));
                found.loss_sum += loss::negative_log_likelihood(scores, label);
            }
        }
        found
    }

    /// The most likely class of every image.
    ///
    /// # Shape
    /// `out`: batch.
    fn predict(&mut self, params: &[f32], images: &[f32], out: &mut [u8]) {
        let (classes, input) = (self.classes(), self.input_len());
        assert_eq!(images.len(), out.len() * input, "one prediction per image");
        let mut scores = vec![0.0; EVALUATION_BLOCK.min(out.len()) * classes];
        let blocks = images.chunks(EVALUATION_BLOCK * input);
        for (images, out) in blocks.zip(out.chunks_mut(EVALUATION_BLOCK)) {
            let scores = &mut scores[..out.len() * classes];
            self.logits(params, images, scores);
            for (scores, out) in scores.chunks_exact(classes).zip(out) {
                *out = loss::best_class(scores) as u8;
            }
        }
    }
}

/// The four classifiers of the experiments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// linear softmax, 784 → 10
    Linear,
    /// 784 → 100 → 10 with ReLU
    Mlp,
    /// the MNIST CNN, 431,080 parameters
    MnistCnn,
    /// the CIFAR-10 CNN, 1,310,922 parameters
    CifarCnn,
}

impl Architecture {
    /// One node's model; those of the other nodes are its [`Model::sibling`]s.
    ///
    pub fn build(self, mode: Mode, dropout: Rng) -> Box<dyn Model> {
        match self {
            Self::Linear => Box::new(Perceptron::new(&[784, 10])),
            Self::Mlp => Box::new(Perceptron::new(&[784, 100, 10])),
            Self::MnistCnn => Box::new(MnistCnn::new()),
            Self::CifarCnn => Box::new(CifarCnn::new(mode, dropout)),
        }
    }
}

fn assert_labels(labels: &[u8], classes: usize) {
    assert!(
        labels.iter().all(|&label| usize::from(label) < classes),
        "labels are below the number of classes"
    );
}

// What every training pass may rely on.
fn assert_training_shapes(
    model: &impl Model,
    params: &[f32],
    (images, labels): (&[f32], &[u8]),
    grad: &[f32],
) {
    assert!(!labels.is_empty(), "a batch holds at least one sample");
    assert_eq!(images.len(), labels.len() * model.input_len(), "one label per image");
    assert_eq!(params.len(), model.dim(), "as many parameters as the model has");
    assert_eq!(grad.len(), model.dim(), "a gradient is as long as the parameters");
    assert_labels(labels, model.classes());
}
