//! One node of the backward sweep: the expansion of Q, the gains, and the value before it.
//!
//! Written once for any size; for the sizes of the listed plants the compiler gets the size as a
//! constant and unrolls. No sum is reordered, so every variant has the same bits.

/// What a node works on; everything is overwritten at each node but the value.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// V_x and V_xx of the node behind
    pub vx: Vec<f64>,
    pub vxx: Vec<f64>,
    /// expansion of the cost, to which the value's is added
    pub qx: Vec<f64>,
    pub qu: Vec<f64>,
    pub qxx: Vec<f64>,
    pub quu: Vec<f64>,
    pub qux: Vec<f64>,
    /// Cholesky factor of Q_uu + λ I
    pub factor: Vec<f64>,
    product: Vec<f64>,
    transposed: Vec<f64>,
    by_input: Vec<f64>,
}

/// A node's linear model and where its gains go.
pub(super) struct Gains<'a> {
    /// k, m
    pub offset: &'a mut [f64],
    /// K, m × n
    pub gain: &'a mut [f64],
}

impl Node {
    pub fn new(n: usize, m: usize) -> Self {
        let zeros = |count: usize| vec![0.0; count];
        Self {
            vx: zeros(n),
            vxx: zeros(n * n),
            qx: zeros(n),
            qu: zeros(m),
            qxx: zeros(n * n),
            quu: zeros(m * m),
            qux: zeros(m * n),
            factor: zeros(m * m),
            product: zeros(n * n),
            transposed: zeros(n * n),
            by_input: zeros(m * n),
        }
    }
}

/// The three stages of a node for one size.
#[derive(Clone, Copy)]
pub(super) struct Kernel {
    /// Adds Aᵀ V A and its relatives to the expansion.
    pub expand: fn(&mut Node, &[f64], &[f64]),
    /// Writes k and K; `false` when Q_uu + λ I is not positive definite.
    pub solve: fn(&mut Node, f64, Gains<'_>) -> bool,
    /// Replaces V by that of this node.
    pub close: fn(&mut Node, &[f64], &[f64]),
}

impl Kernel {
    /// The fastest one for a size.
    pub fn of(n: usize, m: usize) -> Self {
        match (n, m) {
            (3, 2) => Self::fixed::<3, 2>(),
            (4, 2) => Self::fixed::<4, 2>(),
            (12, 4) => Self::fixed::<12, 4>(),
            (13, 4) => Self::fixed::<13, 4>(),
            _ => Self {
                expand: |node, a, b| expand(node, (a, b), node_size(node)),
                solve: |node, lambda, gains| solve(node, lambda, gains, node_size(node)),
                close: |node, offset, gain| close(node, (offset, gain), node_size(node)),
            },
        }
    }

    fn fixed<const N: usize, const M: usize>() -> Self {
        Self {
            expand: |node, a, b| expand(node, (a, b), (N, M)),
            solve: |node, lambda, gains| solve(node, lambda, gains, (N, M)),
            close: |node, offset, gain| close(node, (offset, gain), (N, M)),
        }
    }
}

fn node_size(node: &Node) -> (usize, usize) {
    (node.vx.len(), node.qu.len())
}

/// Above this order rows of A are mostly zero for plants of rigid bodies, and looking pays.
const SPARSE_ABOVE: usize = 8;

#[inline(always)]
fn add(sum: &mut [f64], scale: f64, other: &[f64]) {
    sum.iter_mut().zip(other).for_each(|(sum, other)| *sum += scale * other);
}

/// `into += leftᵀ · right` with rows of `n` in `right` and of `columns` in `left`.
#[inline(always)]
fn add_transposed_product(
    into: &mut [f64],
    left: &[f64],
    right: &[f64],
    (columns, n): (usize, usize),
) {
    for k in 0..n {
        let source = &right[k * n..][..n];
        let factors = &left[k * columns..][..columns];
        for i in 0..columns {
            if n <= SPARSE_ABOVE || factors[i] != 0.0 {
                add(&mut into[i * n..][..n], factors[i], source);
            }
        }
    }
}

#[inline(always)]
fn expand(node: &mut Node, (a, b): (&[f64], &[f64]), (n, m): (usize, usize)) {
    let (a, b) = (&a[..n * n], &b[..n * m]);
    let (vx, vxx) = (&node.vx[..n], &node.vxx[..n * n]);
    let (product, transposed) = (&mut node.product[..n * n], &mut node.transposed[..n * n]);
    let by_input = &mut node.by_input[..m * n];
    let (qxx, qux, quu) = (&mut node.qxx[..n * n], &mut node.qux[..m * n], &mut node.quu[..m * m]);
    let (qx, qu) = (&mut node.qx[..n], &mut node.qu[..m]);
    for k in 0..n {
        add(qx, vx[k], &a[k * n..][..n]);
        add(qu, vx[k], &b[k * m..][..m]);
    }
    product.fill(0.0);
    add_transposed_product(product, a, vxx, (n, n));
    for i in 0..n {
        for j in 0..n {
            transposed[j * n + i] = product[i * n + j];
        }
    }
    // A on the left both times, because it is A that is sparse.
    add_transposed_product(qxx, a, transposed, (n, n));
    add_transposed_product(qux, b, transposed, (m, n));
    by_input.fill(0.0);
    add_transposed_product(by_input, b, vxx, (m, n));
    for i in 0..m {
        for k in 0..n {
            add(&mut quu[i * m..][..m], by_input[i * n + k], &b[k * m..][..m]);
        }
    }
}

/// Lower Cholesky factor of `matrix + lambda · 1`; `false` when it has none.
#[inline(always)]
pub(super) fn factorise(matrix: &[f64], lambda: f64, factor: &mut [f64], m: usize) -> bool {
    for j in 0..m {
        let mut pivot = matrix[j * m + j] + lambda;
        for k in 0..j {
            pivot -= factor[j * m + k] * factor[j * m + k];
        }
        if pivot.is_nan() || pivot <= 0.0 || pivot.is_infinite() {
            return false;
        }
        let root = pivot.sqrt();
        factor[j * m + j] = root;
        for i in j + 1..m {
            let mut sum = matrix[i * m + j];
            for k in 0..j {
                sum -= factor[i * m + k] * factor[j * m + k];
            }
            factor[i * m + j] = sum / root;
        }
    }
    true
}

/// `rows ← (L Lᵀ)⁻¹ rows` for m rows of `columns`.
#[inline(always)]
pub(super) fn substitute(factor: &[f64], rows: &mut [f64], (m, columns): (usize, usize)) {
    for i in 0..m {
        let (above, row) = rows.split_at_mut(i * columns);
        let row = &mut row[..columns];
        for k in 0..i {
            add(row, -factor[i * m + k], &above[k * columns..][..columns]);
        }
        let inverse = 1.0 / factor[i * m + i];
        row.iter_mut().for_each(|entry| *entry *= inverse);
    }
    for i in (0..m).rev() {
        let (head, below) = rows.split_at_mut((i + 1) * columns);
        let row = &mut head[i * columns..][..columns];
        for k in i + 1..m {
            add(row, -factor[k * m + i], &below[(k - i - 1) * columns..][..columns]);
        }
        let inverse = 1.0 / factor[i * m + i];
        row.iter_mut().for_each(|entry| *entry *= inverse);
    }
}

#[inline(always)]
fn solve(node: &mut Node, lambda: f64, gains: Gains<'_>, (n, m): (usize, usize)) -> bool {
    let factor = &mut node.factor[..m * m];
    if !factorise(&node.quu[..m * m], lambda, factor, m) {
        return false;
    }
    let (offset, gain) = (&mut gains.offset[..m], &mut gains.gain[..m * n]);
    offset.iter_mut().zip(&node.qu[..m]).for_each(|(k, slope)| *k = -slope);
    gain.iter_mut().zip(&node.qux[..m * n]).for_each(|(k, slope)| *k = -slope);
    substitute(factor, offset, (m, 1));
    substitute(factor, gain, (m, n));
    true
}

#[inline(always)]
fn close(node: &mut Node, (offset, gain): (&[f64], &[f64]), (n, m): (usize, usize)) {
    let (offset, gain) = (&offset[..m], &gain[..m * n]);
    let (quu, qux) = (&node.quu[..m * m], &node.qux[..m * n]);
    let (vx, vxx) = (&mut node.vx[..n], &mut node.vxx[..n * n]);
    let changed = &mut node.by_input[..m * n];
    changed.copy_from_slice(qux);
    vx.copy_from_slice(&node.qx[..n]);
    for i in 0..m {
        let mut slope = node.qu[i];
        for j in 0..m {
            slope += quu[i * m + j] * offset[j];
            add(&mut changed[i * n..][..n], quu[i * m + j], &gain[j * n..][..n]);
        }
        add(vx, slope, &gain[i * n..][..n]);
        add(vx, offset[i], &qux[i * n..][..n]);
    }
    let whole = &mut node.product[..n * n];
    whole.copy_from_slice(&node.qxx[..n * n]);
    for j in 0..m {
        for i in 0..n {
            let row = &mut whole[i * n..][..n];
            add(row, gain[j * n + i], &changed[j * n..][..n]);
            add(row, qux[j * n + i], &gain[j * n..][..n]);
        }
    }
    for i in 0..n {
        for j in 0..n {
            vxx[i * n + j] = 0.5 * (whole[i * n + j] + whole[j * n + i]);
        }
    }
}
