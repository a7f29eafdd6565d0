//! `phalanx audit`: how far one user can move the global model of personalised learning.
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use phalanx_attack::poisoning::bound::{diameter, lower_bound};
use phalanx_attack::poisoning::classical::Trigger;
use phalanx_attack::poisoning::{Form, SoftmaxPoison, SoftmaxSettings};
use phalanx_learn::algorithm::personalised::pac::PacConstants;
use phalanx_learn::algorithm::personalised::regularizer::squared_distance;
use phalanx_report::Lines;
use phalanx_robust::{Population, RULES};
use serde_json::json;

use crate::command::Verdict;
use crate::command::choice::{Chosen, Mixes};
use crate::command::columns::columns;
use crate::experiment::Kind;
use crate::poisoning::{Defence, POINTS_MAX, Play, PopulationOptions, Stage, Trace, within};
use crate::printer::Printer;
use crate::problem::Problem;

const AFTER_HELP: &str = "\
Attacks: gradient (counter-gradient), local (the same, steering the local models), model, data (the
softmax construction), label-shift (labels y + 1), backdoor. The last three take --poison-points.

Examples:
  phalanx audit --attack gradient,model,data --poison-points 2000 -o audit
  phalanx audit --regularizer l2 --attack data --poison-points 10,100,1000 -o audit
  phalanx audit --rule average --mix static-clipping radius=5 --attack gradient -o audit";

const ATTACKS: [&str; 6] = ["gradient", "local", "model", "data", "label-shift", "backdoor"];
/// What the attacker of a backdoor wants stamped images to be.
const TRIGGER: Trigger = Trigger { side: 3, class: 0 };

/// The noise that gradient-PAC* allows the data, as calibrated for linear regression (chosen).
const PAC: PacConstants = PacConstants { pull: 0.0, noise: 10.0, exponent: 0.6 };

/// Measure how far one user can move the global model of personalised learning
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Audit {
    #[command(flatten)]
    population: PopulationOptions,
    /// Try these attacks
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    #[arg(default_value = "gradient,model,data,label-shift")]
    attack: Vec<String>,
    /// Give the poisoner so many points, one after the other
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_value = "10,100,1000")]
    poison_points: Vec<usize>,
    /// Let the poisoner of `data` start like everybody, in place of at the model that it pins
    #[arg(long)]
    from_scratch: bool,
    /// Condense the users' slopes by this rule in place of their sum
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Set a parameter of that rule
    #[arg(long = "rule-param", value_name = "KEY=VALUE", requires = "rule")]
    rule_params: Vec<String>,
    #[command(flatten)]
    mixes: Mixes,
    /// Write pictures and their numbers into this folder
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// One line of the result.
struct Row {
    attack: &'static str,
    points: Option<usize>,
    moved: f64,
    trace: Trace,
    triggered: Option<f64>,
}

impl Audit {
    /// Trains without and with each attack, and compares.
    ///
    /// # Errors
    /// For options and data that do not fit together.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let attacks = self.attacks()?;
        self.population.tie()?;
        self.defence()?;
        for count in &self.poison_points {
            within(*count, POINTS_MAX, "--poison-points")?;
        }
        let images = self.population.images()?;
        if attacks.contains(&"backdoor") && self.width(images.0.inputs).is_none() {
            let problem = Problem::new("a backdoor needs square pictures, not features");
            return Err(problem.at("--attack").hint("leave `--features` or `backdoor` out"));
        }
        let stage = self.population.stage(images, None)?;
        let clean = self.played(&stage, Play::Nothing, "no attack", printer)?;
        let mut rows = Vec::new();
        let mut model: Option<Vec<f64>> = None;
        for attack in attacks {
            if attack == "model" || attack == "data" {
                let known = match model.take() {
                    Some(known) => known,
                    None => self.strategic(&stage, &mut rows, printer)?,
                };
                model = Some(known);
            }
            self.try_attack((&stage, &clean), (attack, model.as_deref()), &mut rows, printer)?;
        }
        self.tell(printer, (&stage, &clean), &rows);
        self.draw(&clean, &rows, printer)?;
        Ok(Verdict::Yes)
    }

    /// The model that one gradient attack is worth, from the row of that attack if it was tried.
    fn strategic(
        &self,
        stage: &Stage,
        rows: &mut [Row],
        printer: &mut Printer,
    ) -> Result<Vec<f64>, Problem> {
        let told = |error: phalanx_attack::poisoning::ConversionError| {
            let text = error.to_string();
            let (message, hint) = text.split_once("\nhint: ").unwrap_or((&text, ""));
            Problem::new(message).hint(hint)
        };
        if let Some(row) = rows.iter().find(|row| row.attack == "gradient") {
            return stage.model(&row.trace).map_err(told);
        }
        let play = Play::Gradient(Form::Published);
        stage.model(&self.played(stage, play, "gradient", printer)?).map_err(told)
    }

    fn try_attack(
        &self,
        (stage, clean): (&Stage, &Trace),
        (attack, model): (&'static str, Option<&[f64]>),
        rows: &mut Vec<Row>,
        printer: &mut Printer,
    ) -> Result<(), Problem> {
        let honest = stage.setting().users;
        let model = || model.expect("the model was made before").to_vec();
        let sizes: Vec<Option<usize>> = match attack {
            "gradient" | "local" | "model" => vec![None],
            _ => self.poison_points.iter().map(|count| Some(*count)).collect(),
        };
        for points in sizes {
            let count = points.unwrap_or(0);
            let width = self.width(stage.train().inputs);
            let play = match attack {
                "gradient" => Play::Gradient(Form::Published),
                "local" => Play::Gradient(Form::Local { honest }),
                "model" => Play::Model(model()),
                "data" => {
                    let settings = SoftmaxSettings {
                        classes: stage.train().classes,
                        ..SoftmaxSettings::published(count)
                    };
                    let poison = SoftmaxPoison::new(&model(), settings, stage.setting().seed);
                    let poison = poison.map_err(|error| Problem::new(error.to_string()))?;
                    let start = (!self.from_scratch).then(model);
                    Play::Data(stage.images(&poison), start, 1.0)
                }
                "label-shift" => Play::Data(stage.relabelled(count), None, 1.0),
                _ => {
                    let width = width.expect("pictures were checked");
                    Play::Data(stage.stamped(count, (TRIGGER, width)), None, 1.0)
                }
            };
            let trace = self.played(stage, play, attack, printer)?;
            let moved = squared_distance(&trace.global, &clean.global).sqrt();
            let triggered = (attack == "backdoor")
                .then(|| width.map(|width| stage.triggered(&trace.global, (TRIGGER, width))))
                .flatten();
            rows.push(Row { attack, points, moved, trace, triggered });
        }
        Ok(())
    }

    fn attacks(&self) -> Result<Vec<&'static str>, Problem> {
        let known = |name: &String| {
            ATTACKS.iter().find(|known| *known == name).copied().ok_or_else(|| {
                let problem = Problem::new(format!("unknown attack `{name}`")).at("--attack");
                problem.among("attack", name, ATTACKS)
            })
        };
        self.attack.iter().map(known).collect()
    }

    fn width(&self, inputs: usize) -> Option<usize> {
        let side = inputs.isqrt();
        (self.population.features.is_none() && side * side == inputs).then_some(side)
    }

    /// The server's rule for the honest users and the attacker.
    fn defence(&self) -> Result<Defence, Problem> {
        let mixings = self.mixes.choose()?;
        let Some(name) = &self.rule else {
            if !mixings.is_empty() {
                let problem = Problem::new("mixings without a rule").at("--mix");
                return Err(problem.hint("`--rule NAME` names the rule that follows them"));
            }
            return Ok(Defence::none());
        };
        let rule = Chosen::new(Kind::Rule, RULES, name, &self.rule_params)
            .map_err(|problem| problem.at("--rule"))?;
        if rule.entry.build.is_self_centred {
            let message =
                format!("rule `{name}` is centred at the own vector, and a server has none");
            let problem = Problem::new(message).at("--rule");
            return Err(problem.hint("`phalanx list rules` shows the others"));
        }
        let population = Population::new(self.population.users + 1, 1)
            .map_err(|error| Problem::new(error.to_string()).at("--users"))?;
        let mixings = mixings.iter().map(|mixing| mixing.build(population));
        Ok(Defence::of(mixings.collect::<Result<_, _>>()?, rule.build(population)?))
    }

    fn played(
        &self,
        stage: &Stage,
        play: Play,
        what: &str,
        printer: &mut Printer,
    ) -> Result<Trace, Problem> {
        let epochs = self.population.epochs;
        let is_alone = matches!(play, Play::Nothing);
        // The rule is built for everybody; without an attack an idle user takes the seat.
        let play = if is_alone && self.rule.is_some() {
            Play::Data(stage.honest_images(), None, 1.0)
        } else {
            play
        };
        let mut watch = |epoch: usize| printer.progress(&format!("{what}: epoch {epoch}/{epochs}"));
        let trace = stage.run((play, epochs), &mut self.defence()?, &mut watch);
        trace.map_err(|error| {
            let rule = self.rule.as_deref().unwrap_or("sum");
            Problem::new(format!("rule `{rule}`: {error}")).at("--rule")
        })
    }

    fn tell(&self, printer: &mut Printer, (stage, clean): (&Stage, &Trace), rows: &[Row]) {
        let locals: Vec<&[f64]> = clean.locals.iter().map(Vec::as_slice).collect();
        let spread = diameter(&locals);
        let bound = lower_bound(locals.len(), 1, spread);
        let mut table = vec![
            ["attack", "points", "moved", "to target", "accuracy", "triggered"]
                .map(String::from)
                .to_vec(),
        ];
        let number = |value: f64| format!("{value:.3}");
        table.push(vec![
            "none".into(),
            String::new(),
            number(0.0),
            number(clean.last_distance()),
            format!("{:.4}", clean.last_accuracy()),
        ]);
        for row in rows {
            table.push(vec![
                row.attack.into(),
                row.points.map(|points| points.to_string()).unwrap_or_default(),
                number(row.moved),
                number(row.trace.last_distance()),
                format!("{:.4}", row.trace.last_accuracy()),
                row.triggered.map(|share| format!("{share:.4}")).unwrap_or_default(),
            ]);
            if printer.is_json() {
                printer.json(&json!({
                    "attack": row.attack, "points": row.points, "moved": row.moved,
                    "distance": row.trace.last_distance(),
                    "accuracy": row.trace.last_accuracy(), "triggered": row.triggered,
                }));
            }
        }
        let pac = stage.pac(PAC);
        if printer.is_json() {
            printer.json(&json!({
                "pac_pull": pac.pull, "pac_allowed": pac.allowed, "pac_tried": pac.tried,
                "clean_accuracy": clean.last_accuracy(), "diameter": spread,
                "lower_bound": bound, "users": locals.len(),
                "regularizer": self.population.regularizer, "lambda": self.population.lambda,
            }));
            return;
        }
        printer.result(columns(&table));
        let points = stage.setting().points;
        printer.result(format!(
            "\n{} honest users of {points} points, diameter of their models {spread:.3}: no rule \
             that is exact on identical inputs can promise their mean to less than {bound:.3}",
            locals.len()
        ));
        printer.result(format!(
            "gradient-PAC*: the first user's points pull towards their own model with A = {:.2e} \
             each (B = {}, α = {}, {} models tried)",
            pac.pull, PAC.noise, PAC.exponent, pac.tried
        ));
    }

    fn draw(&self, clean: &Trace, rows: &[Row], printer: &mut Printer) -> Result<(), Problem> {
        let Some(folder) = &self.output else { return Ok(()) };
        let cannot = |error: std::io::Error| Problem::io("cannot write", folder, &error);
        fs::create_dir_all(folder).map_err(cannot)?;
        let mut figures = vec![("attacks", over_epochs(clean, rows))];
        figures.extend(over_points(rows).map(|figure| ("influence", figure)));
        for (stem, figure) in figures {
            fs::write(folder.join(format!("{stem}.svg")), figure.svg()).map_err(cannot)?;
            fs::write(folder.join(format!("{stem}.csv")), figure.csv()).map_err(cannot)?;
            printer.note(format!("figure: {}", folder.join(format!("{stem}.svg")).display()));
        }
        Ok(())
    }
}

/// Distance to the target, attack by attack; of several sizes the largest.
fn over_epochs(clean: &Trace, rows: &[Row]) -> Lines {
    let line = |trace: &Trace| -> Vec<(f64, f64)> {
        trace.distance.iter().enumerate().map(|(epoch, d)| (epoch as f64, *d)).collect()
    };
    let mut lines = vec![("no attack".to_owned(), line(clean))];
    let mut largest: BTreeMap<&str, &Row> = BTreeMap::new();
    largest.extend(rows.iter().map(|row| (row.attack, row)));
    for attack in ATTACKS {
        let Some(row) = largest.get(attack) else { continue };
        let name = match row.points {
            Some(points) => format!("{attack}, {points} points"),
            None => attack.to_owned(),
        };
        lines.push((name, line(&row.trace)));
    }
    let title = "Distance of the global model to the attacker's target".to_owned();
    Lines { title, across: "epoch".into(), is_across_log: false, lines }
}

/// How far one user moves the global model with so many points; none without two sizes.
fn over_points(rows: &[Row]) -> Option<Lines> {
    let mut lines = Vec::new();
    for attack in ATTACKS {
        let points = rows.iter().filter(|row| row.attack == attack);
        let points: Vec<(f64, f64)> =
            points.filter_map(|row| Some((row.points? as f64, row.moved))).collect();
        if points.len() > 1 {
            lines.push((attack.to_owned(), points));
        }
    }
    let title = "How far one user moves the global model".to_owned();
    let across = "poison points (log scale)".to_owned();
    (!lines.is_empty()).then_some(Lines { title, across, is_across_log: true, lines })
}
