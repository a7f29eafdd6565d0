//! The figure of an agreement: the diameter of the honest vectors over its passes, and its bound.
use crate::csv::Csv;
use crate::figure::curves::{Chart, Series};
use crate::number::Unit;
use crate::spread::{CurvePoint, Spread};

/// Diameters over passes.
#[derive(Debug, Clone, PartialEq)]
pub struct Contraction {
    /// what is drawn
    pub title: String,
    /// for each seed the diameter before the first pass and after each
    pub curves: Vec<Vec<f64>>,
    /// what a diameter cannot be above, as long as a curve
    pub bound: Vec<f64>,
}

/// A drawing as files.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// the drawing
    pub svg: String,
    /// the numbers behind it
    pub csv: String,
}

impl Contraction {
    /// Draws it, with a logarithmic scale once it spans enough.
    ///
    /// A diameter of 0 has no place on such a scale: the curve ends before it.
    pub fn draw(&self) -> Drawn {
        let passes = self.bound.len().saturating_sub(1);
        let point = |(pass, values): (usize, Vec<f64>)| {
            let spread = Spread::over(&values)?;
            Some(CurvePoint { round: pass as u32, spread })
        };
        let at = |pass: usize| -> Vec<f64> {
            let values = self.curves.iter().filter_map(|curve| curve.get(pass).copied());
            values.filter(|diameter| *diameter > 0.0).collect()
        };
        let measured = (0..=passes).map(|pass| (pass, at(pass))).filter_map(point).collect();
        let bound = self.bound.iter().map(|bound| vec![*bound]).enumerate();
        let bound = bound.filter(|(_, bound)| bound[0] > 0.0).filter_map(point).collect();
        let series = |name: &str, style, points, seeds| Series {
            name: name.into(),
            style: Some(style),
            points,
            seeds,
            broken: None,
            note: None,
        };
        let chart = Chart {
            title: self.title.clone(),
            unit: Unit::Plain,
            axis: "pass",
            rounds: passes as u32,
            series: vec![
                series("measured", 0, measured, self.curves.len()),
                series("bound", 1, bound, 1),
            ],
        };
        Drawn { svg: chart.draw().file(&self.title), csv: self.csv() }
    }

    fn csv(&self) -> String {
        let mut head = vec!["pass".to_owned(), "bound".to_owned()];
        head.extend((1..=self.curves.len()).map(|seed| format!("diameter of seed {seed}")));
        let mut csv = Csv::new(&head);
        for (pass, bound) in self.bound.iter().enumerate() {
            let mut row = vec![pass.to_string(), bound.to_string()];
            let cell = |curve: &Vec<f64>| curve.get(pass).map_or("".into(), f64::to_string);
            row.extend(self.curves.iter().map(cell));
            csv.row(&row);
        }
        csv.finish()
    }
}
