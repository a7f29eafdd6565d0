//! Labels at the right of a chart of lines, moved apart.
use crate::svg::Spot;

/// Two lines of text and the air around them.
const LABEL_HEIGHT: f64 = 35.0;

/// The label of one line.
pub(crate) struct Label {
    /// which line
    pub(crate) line: usize,
    /// where that line ends
    pub(crate) from: Spot,
    /// where the label stands
    pub(crate) y: f64,
}

/// Moves labels apart, keeping their order and staying inside a drawing from `top` to `height`.
pub(crate) fn spread_labels(labels: &mut [Label], (top, height): (f64, f64)) {
    labels.sort_by(|a, b| a.from.1.total_cmp(&b.from.1).then(a.line.cmp(&b.line)));
    let mut floor = top - 6.0;
    for label in labels.iter_mut() {
        label.y = (label.from.1 + 1.0).max(floor);
        floor = label.y + LABEL_HEIGHT;
    }
    let mut ceiling = height - 20.0;
    for label in labels.iter_mut().rev() {
        label.y = label.y.min(ceiling);
        ceiling = label.y - LABEL_HEIGHT;
    }
}
