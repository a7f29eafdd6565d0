//! The learned target of the mimic heuristic, on examples worked by hand.
use phalanx_attack::View;
use phalanx_protocol::Turn;
use phalanx_robust::{Rng, StateReader, StateWriter, Value, Vectors};

use crate::setting::*;

const SCENARIO: Scenario = Scenario { n: 4, f: 1, byzantine: 1 };

/// The recursion, written down step by step as in the attack's description.
struct Recursion {
    mean: Vec<f64>,
    direction: Vec<f64>,
}

impl Recursion {
    fn step(&mut self, t: f64, models: &[Row]) {
        let average = mean(models);
        for (mean, average) in self.mean.iter_mut().zip(average) {
            *mean = (t + 1.0) / (t + 2.0) * *mean + average / (t + 2.0);
        }
        self.direction.iter_mut().for_each(|z| *z *= (t + 1.0) / (t + 2.0));
        let mut w = vec![0.0; self.mean.len()];
        for model in models {
            let e: Vec<f64> =
                model.iter().zip(&self.mean).map(|(x, m)| f64::from(*x) - m).collect();
            let product: f64 = e.iter().zip(&self.direction).map(|(e, z)| e * z).sum();
            w.iter_mut().zip(&e).for_each(|(w, e)| *w += product.abs() * e);
        }
        let norm = w.iter().map(|w| w * w).sum::<f64>().sqrt();
        for (z, w) in self.direction.iter_mut().zip(w) {
            *z = (t + 1.0) / (t + 2.0) * *z + w / norm / (t + 2.0);
        }
        let norm = self.direction.iter().map(|z| z * z).sum::<f64>().sqrt();
        self.direction.iter_mut().for_each(|z| *z /= norm);
    }
}

fn saved(attack: &dyn phalanx_attack::Attack) -> (u64, Vec<f32>, Vec<f32>) {
    let mut out = StateWriter::default();
    attack.save(&mut out);
    let bytes = out.finish();
    let mut input = StateReader::new(&bytes);
    (input.u64().unwrap(), input.f32s().unwrap(), input.f32s().unwrap())
}

#[test]
fn the_direction_follows_the_recursion_on_models() {
    let given = [("rounds", Value::Integer(3))];
    let mut attack = build("mimic-heuristic", &given, SCENARIO).unwrap();
    let mut rng = Rng::stream(9, 0, "attack");
    let mut twin = rng.clone();
    let direction = (0..4).map(|_| twin.unit()).collect();
    let mut recursion = Recursion { mean: vec![0.0; 4], direction };
    for round in 0..6 {
        let (models, honest) = (random_rows(3, 4, u64::from(round)), random_rows(3, 4, 50));
        let rows = rows_of(&models);
        let shared = rows_of(&honest);
        let view = View {
            models: Some(Vectors::new(&rows).unwrap()),
            step: Some(0.1),
            ..view(Vectors::new(&shared).unwrap(), round)
        };
        let forgery = attack.forge(&view, &mut rng).unwrap();
        // The models before round t's step are those after round t − 1.
        if (1..=3).contains(&round) {
            recursion.step(f64::from(round) - 1.0, &models);
        }
        let (learned, mean, direction) = saved(&*attack);
        assert_eq!(learned, u64::from(round.min(3)));
        assert_close(&mean, &recursion.mean, 1e-6);
        assert_close(&direction, &recursion.direction, 1e-6);
        let product = |row: &Row| -> f64 {
            row.iter().zip(&recursion.direction).map(|(x, z)| f64::from(*x) * z).sum::<f64>().abs()
        };
        let farthest = (0..3).max_by(|a, b| product(&honest[*a]).total_cmp(&product(&honest[*b])));
        let target = if round < 3 { 0 } else { farthest.unwrap() };
        assert_eq!(forgery.vectors[0].to_vec(), honest[target]);
    }
}

#[test]
fn one_step_by_hand() {
    // Models (2, 0), (−2, 0), (0, 0) have mean 0, so μ = 0. z = (p, q) shrinks to (p, q)/2;
    // the products are p, −p, 0, so w ∝ p (2, 0) + p (−2, 0) = 0 and z keeps its direction.
    let rows = [vec![2.0_f32, 0.0], vec![-2.0, 0.0], vec![0.0, 0.0]];
    let rows = rows_of(&rows);
    let honest = Vectors::new(&rows).unwrap();
    let mut attack = build("mimic-heuristic", &[], SCENARIO).unwrap();
    let mut rng = Rng::stream(2, 0, "attack");
    let mut twin = rng.clone();
    let (p, q) = (twin.unit(), twin.unit());
    attack.forge(&view(honest, 0), &mut rng).unwrap();
    let (learned, mean, direction) = saved(&*attack);
    assert_eq!((learned, mean), (1, vec![0.0, 0.0]));
    assert_close(&direction, &[p / p.hypot(q), q / p.hypot(q)], 1e-6);
}

#[test]
fn later_exchanges_of_a_round_teach_nothing() {
    let rows = documented();
    let rows = rows_of(&rows);
    let honest = Vectors::new(&rows).unwrap();
    let mut attack = build("mimic-heuristic", &[], SCENARIO).unwrap();
    let mut rng = Rng::stream(2, 0, "attack");
    attack.forge(&view(honest, 0), &mut rng).unwrap();
    let before = saved(&*attack);
    attack.forge(&View { turn: Turn::new(0, 1), ..view(honest, 0) }, &mut rng).unwrap();
    assert_eq!(saved(&*attack), before);
}
