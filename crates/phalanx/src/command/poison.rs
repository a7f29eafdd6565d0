//! `phalanx poison`: from a target to a gradient attack, to a model, to a poisoned data set.
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use phalanx_attack::poisoning::{Form, SoftmaxPoison, SoftmaxSettings};
use phalanx_report::contact_sheet;
use serde_json::json;

use crate::command::Verdict;
use crate::matrix_file::{self, Writer};
use crate::poisoning::{Defence, POINTS_MAX, Play, PopulationOptions, Stage, Trace, within};
use crate::printer::Printer;
use crate::problem::Problem;

const AFTER_HELP: &str = "\
The folder gets features.npy (one row per point), labels.npy (a probability per class), model.npy
(what the points pin), target.npy (where the global model goes) and, for pixels, sheet.png.

Examples:
  phalanx poison --dataset fashion-mnist --poison-points 2000 --epochs 250 -o poison
  phalanx poison --clipped --poison-points 20000 --boost 1000 -o poison
  phalanx poison --model theta.npy --poison-points 500 -o poison";

/// Pictures on the contact sheet, and how many stand in a row.
const SHEET: (usize, usize) = (60, 12);
/// Pixels of the sheet per pixel of a picture.
const ZOOM: usize = 2;

/// Make the data with which one user steers the global model of personalised learning
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Poison {
    #[command(flatten)]
    population: PopulationOptions,
    /// Steer to this model (.npy, .safetensors or .csv) in place of one trained on labels y + 1
    #[arg(long, value_name = "FILE")]
    target: Option<PathBuf>,
    /// Pin this local model without simulating an attack first
    #[arg(long, value_name = "FILE", conflicts_with = "target")]
    model: Option<PathBuf>,
    /// Make so many points
    #[arg(long, value_name = "COUNT", default_value_t = 2000)]
    poison_points: usize,
    /// Let points leave the subspace of equal scores by so much
    #[arg(long, value_name = "TAU", default_value_t = 0.01)]
    spread: f64,
    /// Make valid grey pixels, which pin the model far less
    #[arg(long)]
    clipped: bool,
    /// Multiply the poisoner's loss, in the check only
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    boost: f64,
    /// Write the points without trying them
    #[arg(long)]
    untried: bool,
    /// Write into this folder, which must not exist or be empty
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

impl Poison {
    /// Steers, converts, writes, tries.
    ///
    /// # Errors
    /// For options, data and files that do not fit together.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        self.population.tie()?;
        let is_positive = |value: f64| value.is_finite() && value > 0.0;
        for (value, option) in [(self.spread, "--spread"), (self.boost, "--boost")] {
            if !is_positive(value) {
                let message = format!("`{value}`, but a positive number is needed");
                return Err(Problem::new(message).at(option));
            }
        }
        within(self.poison_points, POINTS_MAX, "--poison-points")?;
        let known = self.target.as_deref().or(self.model.as_deref());
        let target = known.map(read_model).transpose()?;
        empty_folder(&self.output)?;
        let images = self.population.images()?;
        let stage = self.population.stage(images, target)?;
        let (model, gradient) = match &self.model {
            Some(_) => (stage.target().to_vec(), None),
            None => {
                let play = Play::Gradient(Form::Published);
                let trace = self.played(&stage, play, "gradient attack", printer)?;
                let model = stage.model(&trace);
                let model = model.map_err(|error| Problem::new(error.to_string()))?;
                (model, Some(trace))
            }
        };
        let poison = SoftmaxPoison::new(&model, self.settings(&stage), self.population.seed);
        let poison = poison.map_err(|error| {
            let text = error.to_string();
            let (message, hint) = text.split_once("\nhint: ").unwrap_or((&text, ""));
            Problem::new(message).hint(hint)
        })?;
        self.write(&stage, &model, &poison)?;
        let held = match (&gradient, self.untried) {
            (Some(_), false) => {
                Some(self.played(&stage, Play::Model(model.clone()), "model attack", printer)?)
            }
            _ => None,
        };
        let data = if self.untried {
            None
        } else {
            let play = Play::Data(stage.images(&poison), Some(model), self.boost);
            Some(self.played(&stage, play, "data attack", printer)?)
        };
        self.tell(printer, [("gradient", &gradient), ("model", &held), ("data", &data)]);
        let count = poison.points();
        printer.note(format!("{count} poison points: {}", self.output.display()));
        Ok(Verdict::Yes)
    }

    fn settings(&self, stage: &Stage) -> SoftmaxSettings {
        SoftmaxSettings {
            classes: stage.train().classes,
            spread: self.spread,
            is_clipped: self.clipped,
            ..SoftmaxSettings::published(self.poison_points)
        }
    }

    fn played(
        &self,
        stage: &Stage,
        play: Play,
        what: &str,
        printer: &mut Printer,
    ) -> Result<Trace, Problem> {
        let epochs = self.population.epochs;
        let mut watch = |epoch: usize| printer.progress(&format!("{what}: epoch {epoch}/{epochs}"));
        let trace = stage.run((play, epochs), &mut Defence::none(), &mut watch);
        trace.map_err(|error| Problem::new(error.to_string()))
    }

    fn tell(&self, printer: &mut Printer, attacks: [(&str, &Option<Trace>); 3]) {
        for (name, trace) in attacks {
            let Some(trace) = trace else { continue };
            let (distance, accuracy) = (trace.last_distance(), trace.last_accuracy());
            if printer.is_json() {
                printer.json(&json!({
                    "attack": name, "distance": distance, "accuracy": accuracy,
                    "epochs": self.population.epochs, "points": self.poison_points,
                }));
            } else {
                let line = format!(
                    "{name:<8}  distance to target {distance:7.3}  true accuracy {accuracy:.4}"
                );
                printer.result(line);
            }
        }
    }

    fn write(&self, stage: &Stage, model: &[f64], poison: &SoftmaxPoison) -> Result<(), Problem> {
        let narrow =
            |values: &[f64]| values.iter().map(|value| *value as f32).collect::<Vec<f32>>();
        let file = |name: &str| Writer::new(&self.output.join(name), Path::new(""));
        let features: Vec<&[f32]> = poison.features.chunks_exact(poison.inputs).collect();
        file("features.npy")?.write(&features, "features", true)?;
        let targets = narrow(&poison.targets);
        let targets: Vec<&[f32]> = targets.chunks_exact(stage.train().classes).collect();
        file("labels.npy")?.write(&targets, "labels", true)?;
        file("model.npy")?.write(&[&narrow(model)], "model", true)?;
        file("target.npy")?.write(&[&narrow(stage.target())], "target", true)?;
        if let Some(width) = side(poison.inputs).filter(|_| self.population.features.is_none()) {
            let shown = &features[..features.len().min(SHEET.0)];
            let path = self.output.join("sheet.png");
            fs::write(&path, contact_sheet(shown, width, (SHEET.1, ZOOM)))
                .map_err(|error| Problem::io("cannot write", &path, &error))?;
        }
        Ok(())
    }
}

/// The side of square pictures.
fn side(pixels: usize) -> Option<usize> {
    let side = pixels.isqrt();
    (side * side == pixels).then_some(side)
}

/// One vector from a file.
fn read_model(path: &Path) -> Result<Vec<f64>, Problem> {
    let matrix = matrix_file::read(path, None)?;
    if matrix.count() != 1 {
        let problem = Problem::new(format!("`{}` vectors, but one is needed", matrix.count()));
        return Err(problem.at(path.display()));
    }
    let model: Vec<f64> = matrix.rows().flatten().map(|entry| f64::from(*entry)).collect();
    match model.iter().position(|entry| !entry.is_finite()) {
        None => Ok(model),
        Some(at) => {
            let message = format!("entry `{at}` is `{}`, but finite numbers are needed", model[at]);
            Err(Problem::new(message).at(path.display()))
        }
    }
}

/// Makes a folder, or takes one that holds nothing.
fn empty_folder(path: &Path) -> Result<(), Problem> {
    let cannot = |error: std::io::Error| Problem::io("cannot make the folder", path, &error);
    fs::create_dir_all(path).map_err(cannot)?;
    if fs::read_dir(path).map_err(cannot)?.next().is_some() {
        let problem = Problem::new("the folder is not empty").at(path.display());
        return Err(problem.hint("give `-o` another name"));
    }
    Ok(())
}
