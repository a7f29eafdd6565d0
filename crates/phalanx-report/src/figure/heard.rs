//! Who heard whom: honest nodes by senders, as a heat map.
use crate::folder::Summary;
use crate::svg::Svg;

/// Most cells along one side; larger populations are averaged in blocks.
const CELLS_MAX: usize = 64;

/// How often each honest node heard each sender, as a share of its own exchanges.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// node of each row
    nodes: Vec<u16>,
    /// one row per node, one column per sender; shares in 0..=1
    shares: Vec<Vec<f64>>,
    /// whether a sender is Byzantine
    byzantine: Vec<bool>,
    /// whether the last column is a hub
    has_hub: bool,
}

impl Heard {
    /// `None` if the summary does not say it for any node.
    pub(crate) fn of(summary: &Summary) -> Option<Self> {
        let senders = summary.nodes.iter().map(|node| node.heard.len()).max().unwrap_or(0);
        if senders == 0 || summary.nodes.iter().all(|n| n.heard.iter().all(|&h| h == 0)) {
            return None;
        }
        let row = |heard: &Vec<u64>| {
            let most = heard.iter().copied().max().unwrap_or(0).max(1) as f64;
            (0..senders).map(|s| heard.get(s).map_or(0.0, |&h| h as f64 / most)).collect()
        };
        let byzantine = byzantine(summary, senders);
        Some(Self {
            nodes: summary.nodes.iter().map(|node| node.node).collect(),
            shares: summary.nodes.iter().map(|node| row(&node.heard)).collect(),
            byzantine,
            has_hub: senders > summary.n,
        })
    }

    /// Byzantine nodes' share of senders, and of what was heard.
    pub(crate) fn byzantine_share(&self) -> (f64, f64) {
        let count = self.byzantine.iter().filter(|&&b| b).count() as f64;
        let total: f64 = self.shares.iter().flatten().sum();
        let theirs: f64 = self
            .shares
            .iter()
            .flat_map(|row| row.iter().zip(&self.byzantine))
            .filter(|&(_, &is_byzantine)| is_byzantine)
            .map(|(share, _)| share)
            .sum();
        (count / self.byzantine.len().max(1) as f64, theirs / total.max(f64::MIN_POSITIVE))
    }

    pub(crate) fn draw(&self, title: &str) -> Svg {
        let rows = blocks(self.shares.len());
        let columns = blocks(self.byzantine.len());
        let cell = (480.0 / columns.len().max(rows.len()) as f64).clamp(7.0, 18.0);
        let (left, top) = (58.0, 66.0);
        let (width, height) = (cell * columns.len() as f64, cell * rows.len() as f64);
        let mut svg = Svg::new((left + width + 120.0).max(420.0), top + height + 16.0);
        svg.text_within((0.0, 20.0), "title", (title, svg.width() * 0.85));
        svg.text((left + width / 2.0, 40.0), "mid small soft", "sender");
        for (r, row) in rows.iter().enumerate() {
            let y = top + r as f64 * cell;
            for (c, column) in columns.iter().enumerate() {
                let values = self.shares[row.clone()].iter().flat_map(|s| &s[column.clone()]);
                let mean = values.sum::<f64>() / (row.len() * column.len()) as f64;
                let corner = (left + c as f64 * cell, y);
                svg.rect(corner, (cell - 1.0, cell - 1.0), "heat", 0.04 + 0.96 * mean.min(0.999));
            }
            if labelled(r, cell) {
                let name = self.nodes[row.start].to_string();
                svg.text((left - 7.0, y + cell / 2.0 + 4.5), "end small soft", &name);
            }
        }
        self.draw_columns(&mut svg, &columns, (left, top, cell));
        svg.text((0.0, top - 8.0), "small soft", "node");
        self.draw_key(&mut svg, (left + width + 22.0, top));
        svg
    }

    fn draw_columns(
        &self,
        svg: &mut Svg,
        columns: &[std::ops::Range<usize>],
        (left, top, cell): (f64, f64, f64),
    ) {
        let bottom = top + cell * blocks(self.shares.len()).len() as f64;
        for (c, column) in columns.iter().enumerate() {
            let x = left + c as f64 * cell;
            let byzantine = self.byzantine[column.clone()].iter().any(|&b| b);
            let is_hub = self.has_hub && column.end == self.byzantine.len();
            let name = if is_hub { "hub".into() } else { column.start.to_string() };
            let class = if byzantine { "mid small strong f1" } else { "mid small soft" };
            let room = if column.start < 10 { cell } else { cell - 2.0 };
            if labelled(c, room) || is_hub {
                svg.text((x + cell / 2.0 - 0.5, top - 8.0), class, &name);
            }
            if byzantine {
                svg.line((x - 0.5, top - 3.0), (x + cell - 0.5, top - 3.0), "broken l1");
                svg.line((x - 0.5, bottom + 2.0), (x + cell - 0.5, bottom + 2.0), "broken l1");
            }
        }
    }

    fn draw_key(&self, svg: &mut Svg, (x, y): (f64, f64)) {
        for (place, share) in [1.0, 0.75, 0.5, 0.25, 0.0].into_iter().enumerate() {
            let y = y + place as f64 * 18.0;
            svg.rect((x, y), (16.0, 17.0), "heat", 0.04 + 0.96 * f64::min(share, 0.999));
            svg.text((x + 23.0, y + 13.0), "small soft", &format!("{:.0} %", share * 100.0));
        }
        if self.byzantine.iter().any(|&b| b) {
            svg.line((x, y + 110.0), (x + 16.0, y + 110.0), "broken l1");
            svg.text((x + 23.0, y + 114.5), "small strong f1", "Byzantine");
        }
    }

    /// Every pair, with counts as they are in the summary.
    pub(crate) fn csv(summary: &Summary) -> String {
        let mut csv = crate::csv::Csv::new(&["node", "sender", "byzantine", "heard"]);
        let longest = summary.nodes.iter().map(|node| node.heard.len()).max().unwrap_or(0);
        let byzantine = byzantine(summary, longest);
        for node in &summary.nodes {
            for (sender, heard) in node.heard.iter().enumerate() {
                csv.row(&[
                    node.node.to_string(),
                    sender.to_string(),
                    byzantine[sender].to_string(),
                    heard.to_string(),
                ]);
            }
        }
        csv.finish()
    }
}

/// Which senders are Byzantine: those of the population that have no summary. Past the population
/// there is only the hub, which is nobody's adversary.
fn byzantine(summary: &Summary, senders: usize) -> Vec<bool> {
    let mut byzantine: Vec<bool> = (0..senders).map(|sender| sender < summary.n).collect();
    for node in &summary.nodes {
        if let Some(is_byzantine) = byzantine.get_mut(usize::from(node.node)) {
            *is_byzantine = false;
        }
    }
    byzantine
}

fn blocks(count: usize) -> Vec<std::ops::Range<usize>> {
    let size = count.div_ceil(CELLS_MAX).max(1);
    (0..count).step_by(size).map(|start| start..(start + size).min(count)).collect()
}

/// Every label where it fits, every fifth where it does not.
fn labelled(place: usize, cell: f64) -> bool {
    let every = if cell >= 17.0 {
        1
    } else if cell >= 11.0 {
        2
    } else {
        5
    };
    place.is_multiple_of(every)
}
