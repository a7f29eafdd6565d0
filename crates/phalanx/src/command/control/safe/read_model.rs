//! What a plan is made with: the plant itself, or a model of it.
use phalanx_tasks::safe_control::gp::{KERNELS, Kernel};

use super::file::{LearntPlan, ModelPlan};
use super::plant::SafePlant;
use super::read::{HUGE, ROWS_MAX, Reader, numbers};
use crate::command::control::section::Section;
use crate::experiment::document::Item;
use crate::problem::Problem;

impl Reader<'_> {
    pub(super) fn model(&self, plant: &SafePlant) -> Result<ModelPlan, Problem> {
        let keys = ["data", "file", "held-out", "high", "kernel", "low", "name", "noise", "rows"];
        let section = self.section("model", &keys)?;
        let path = |item: &Item, key: &str| Ok(self.folder.join(item.text(key)?));
        if let Some(item) = section.get("file") {
            let others = keys.iter().filter(|key| **key != "file");
            if let Some(other) = others.filter_map(|key| section.get(key)).next() {
                let problem = Problem::new("a model that is read from a file has no other keys");
                return Err(problem.at(&other.origin).hint("it was fitted before"));
            }
            return Ok(ModelPlan::File(path(item, "model.file")?));
        }
        let fallback = if plant.flow().is_some() && section.get("data").is_none() {
            "plant"
        } else {
            "gaussian-process"
        };
        let name = match section.get("name") {
            Some(item) => item.word("model.name", &["gaussian-process", "plant"])?,
            None => fallback,
        };
        if name == "plant" {
            if let (None, Some(item)) = (plant.flow(), section.get("name")) {
                let problem = Problem::new("nobody knows how a plant of one's own moves");
                return Err(problem.at(&item.origin).hint("learn it: give `model.data`"));
            }
            return Ok(ModelPlan::Plant);
        }
        self.learnt(plant, &section).map(ModelPlan::Learnt)
    }

    fn learnt(&self, plant: &SafePlant, section: &Section<'_>) -> Result<LearntPlan, Problem> {
        let data = match section.get("data") {
            Some(item) => Some(self.folder.join(item.text("model.data")?)),
            None => None,
        };
        let columns = plant.n() + plant.m();
        let region = plant.entry.map(|entry| entry.region);
        let side = |key: &str, default: Option<&[f64]>| match (section.get(key), default, &data) {
            (Some(item), _, None) => {
                let needed = (columns, "states and inputs");
                numbers(item, &format!("model.{key}"), needed, (-HUGE, HUGE))
            }
            (Some(item), _, Some(_)) => {
                let problem = Problem::new("logged data are not gathered from a box");
                Err(problem.at(&item.origin).hint("leave out `low` and `high`, or `data`"))
            }
            (None, Some(default), None) => Ok(default.to_vec()),
            (None, None, None) => {
                let problem = Problem::new(format!("`model.{key}` is missing"));
                Err(problem.at(self.origin("model")).hint(
                    "give `model.data`, or the box `low` to `high` of states and inputs to gather \
                     data from",
                ))
            }
            (None, _, Some(_)) => Ok(Vec::new()),
        };
        let (low, high) = (
            side("low", region.as_ref().map(|region| region.low))?,
            side("high", region.as_ref().map(|region| region.high))?,
        );
        if let Some(at) = (0..low.len()).find(|at| low[*at] >= high[*at]) {
            let message = format!(
                "the box of `model` is `{}` to `{}` in entry `{}`: nothing lies between",
                low[at],
                high[at],
                at + 1
            );
            return Err(Problem::new(message).at(self.origin("model")));
        }
        if data.is_none() && plant.flow().is_none() {
            let problem = Problem::new("there is no plant to gather data from");
            return Err(problem.at(self.origin("model")).hint("give `model.data`"));
        }
        let kernel = match section.get("kernel") {
            Some(item) => {
                let text = item.text("model.kernel")?;
                Kernel::named(text).ok_or_else(|| {
                    let problem = Problem::new(format!("unknown kernel `{text}`")).at(&item.origin);
                    problem.among("kernel", text, KERNELS.iter().map(|entry| entry.name))
                })?
            }
            None => Kernel::SquaredExponential,
        };
        let rows = region.map_or(ROWS_MAX, |region| region.rows as u64);
        let held_out = if data.is_some() { (0, 90, 20) } else { (0, ROWS_MAX, 500) };
        Ok(LearntPlan {
            kernel,
            rows: section.integer("rows", (2, ROWS_MAX), rows)? as usize,
            noise: section.number("noise", (0.0, HUGE), region.map_or(0.0, |r| r.noise))?,
            low,
            high,
            data,
            held_out: section.integer("held-out", (held_out.0, held_out.1), held_out.2)? as usize,
        })
    }
}
