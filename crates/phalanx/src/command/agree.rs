//! `phalanx agree`: averaging agreement on the vectors of a file, each pass against its bounds.
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use phalanx_attack::{ATTACKS, Attack, AttackRule, AttackSetup, Defence};
use phalanx_protocol::averaging_agreement::HALVINGS_MAX;
use phalanx_protocol::{AgreementBounds, AgreementError, AgreementRule, Vector, Width};
use phalanx_report::Contraction;
use phalanx_report::number::{bytes, count, plain};
use phalanx_robust::registry::find;
use phalanx_robust::{Population, PopulationError, RULES};
use phalanx_sim::Reach;

use crate::command::Verdict;
use crate::command::aggregate::{note_conversion, to_stdout};
use crate::command::choice::Chosen;
use crate::command::columns::{columns, counted};
use crate::experiment::Kind;
use crate::matrix_file::{self, Matrix, ROWS_MAX, Writer, is_stream};
use crate::printer::{Printer, Tone};
use crate::problem::Problem;

pub mod account;
pub mod observed;
pub mod trial;

use account::Account;
use trial::Trial;

const AFTER_HELP: &str = "\
Examples:
  phalanx agree --algorithm mda -f 1 honest.npy -o agreed.npy
  phalanx agree --algorithm rb-tm -f 2 --attack equivocation honest.csv -o -
  phalanx agree --algorithm mda -f 1 --attack mimic --seeds 9 in.npy -o out.npy --figure f.svg";

/// How nodes agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Algorithm {
    /// minimum-diameter averaging over direct exchanges, n ≥ 6f + 1
    Mda,
    /// trimming over reliable broadcast with witnesses, n ≥ 3f + 1
    RbTm,
}

/// Who arrives first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Schedule {
    /// in each pass what Byzantine nodes say, then the rest at random
    ByzantineFirst,
    /// everything at random
    Random,
}

/// Let honest nodes agree on vectors near the mean of those of a file
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[command(override_usage = "phalanx agree --algorithm mda|rb-tm -f F [OPTIONS] IN -o OUT")]
pub struct Agree {
    /// Read the honest vectors from this file: .npy, .safetensors, .csv, or - for CSV on stdin
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Write what each honest node ends with here: .npy, .safetensors, .csv, or - for CSV
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Choose the algorithm: minimum-diameter averaging, or trimming over reliable broadcast
    #[arg(long, value_name = "NAME")]
    algorithm: Algorithm,
    /// Tolerate so many Byzantine nodes
    #[arg(short = 'f', value_name = "F")]
    f: usize,
    /// Take the trimmed midpoint instead of the trimmed mean (rb-tm)
    #[arg(long)]
    midpoint: bool,
    /// Divide the diameter of the honest vectors by 2 so many times
    #[arg(long = "rounds-of-halving", value_name = "N", default_value_t = 10)]
    halvings: u16,
    /// Wait for so many vectors in each pass (mda) [default: n − f]
    #[arg(long, value_name = "Q")]
    quorum: Option<usize>,
    /// Let Byzantine nodes forge vectors in each pass; `phalanx list attacks` shows how
    #[arg(long, value_name = "NAME")]
    attack: Option<String>,
    /// Set a parameter of the attack
    #[arg(long = "param", value_name = "KEY=VALUE", requires = "attack")]
    params: Vec<String>,
    /// Add so many Byzantine nodes to the honest ones of the file [default: F]
    #[arg(long, value_name = "B", requires = "attack")]
    byzantine: Option<usize>,
    /// Choose who arrives first
    #[arg(long, value_name = "NAME", default_value = "byzantine-first")]
    schedule: Schedule,
    /// Run the seeds from 1 to K; OUT gets the outcome of the first
    #[arg(long, value_name = "K", default_value_t = 1)]
    seeds: u64,
    /// Draw the contraction with its bound, and write the numbers beside it as CSV
    #[arg(long, value_name = "SVG")]
    figure: Option<PathBuf>,
    /// Take this matrix of a safetensors file
    #[arg(long, value_name = "NAME")]
    tensor: Option<String>,
}

impl Agree {
    /// Reads, agrees, writes, and compares with the bounds.
    ///
    /// # Errors
    /// For files, names, parameters and populations that do not fit together.
    pub fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let attack = match &self.attack {
            Some(name) => Some(
                Chosen::new(Kind::Attack, ATTACKS, name, &self.params)
                    .map_err(|problem| problem.at("--attack"))?,
            ),
            None => None,
        };
        self.check_options(printer)?;
        let writer = Writer::new(&self.output, &self.input)?;
        let figure = self.figure.as_deref().map(figure_places).transpose()?;
        let matrix = matrix_file::read(&self.input, self.tensor.as_deref())?;
        note_conversion(printer, &matrix);
        let honest = self.honest(&matrix)?;
        let byzantine = self.byzantine(attack.is_some())?;
        let bounds = self.bounds(honest.len() + byzantine, matrix.dim())?;
        let mut accounts = Vec::new();
        for seed in 1..=self.seeds {
            let reach = match self.schedule {
                Schedule::ByzantineFirst => Reach::All,
                Schedule::Random => Reach::Sampled,
            };
            let adversary = match attack.as_ref().filter(|_| byzantine > 0) {
                Some(attack) => Some((byzantine, forger(attack, &bounds, byzantine)?, reach)),
                None => None,
            };
            let (halvings, honest) = (self.halvings, &honest[..]);
            let trial = Trial { bounds: &bounds, halvings, honest, adversary, seed };
            let log = trial.run()?;
            accounts.push(Account::new(&bounds, (seed, halvings), &log));
        }
        self.write(&writer, &accounts[0], printer)?;
        if let Some(places) = &figure {
            self.draw(&bounds, &accounts, places)?;
        }
        if printer.is_json() {
            let lines = accounts.iter().flat_map(|a| a.as_json(&bounds, self.halvings));
            lines.for_each(|line| printer.json(&line));
        } else {
            self.show(&bounds, &accounts, printer);
        }
        match accounts.iter().all(Account::keeps_all) {
            true => Ok(Verdict::Yes),
            false => Ok(Verdict::No),
        }
    }

    fn check_options(&self, printer: &Printer) -> Result<(), Problem> {
        let refused = |message: String, place: &str| Err(Problem::new(message).at(place));
        if self.halvings > HALVINGS_MAX {
            let message = format!("`{}` halvings, above `{HALVINGS_MAX}`", self.halvings);
            return refused(message, "--rounds-of-halving")
                .map_err(|problem| problem.hint("an `f32` has 24 bits; more would show nothing"));
        }
        if self.seeds == 0 {
            return refused("`0` seeds run nothing".into(), "--seeds");
        }
        if self.midpoint && self.algorithm == Algorithm::Mda {
            return refused("algorithm `mda` has no midpoint".into(), "--midpoint")
                .map_err(|problem| problem.hint("`--algorithm rb-tm` has"));
        }
        if self.quorum.is_some() && self.algorithm == Algorithm::RbTm {
            return refused("algorithm `rb-tm` waits for n − f witnesses".into(), "--quorum")
                .map_err(|problem| problem.hint("leave `--quorum` out"));
        }
        if is_stream(&self.output) && printer.is_json() {
            let problem = Problem::new("`--json` and `-o -` both write to stdout");
            return Err(problem.hint("write the vectors to a file"));
        }
        Ok(())
    }

    /// The rows, which honest nodes can share.
    fn honest(&self, matrix: &Matrix) -> Result<Vec<Vector>, Problem> {
        let rows: Vec<Vector> = matrix.rows().map(|row| Vector::new(row.to_vec())).collect();
        match rows.iter().position(|row| !row.is_finite()) {
            Some(row) => {
                let message = format!("row `{row}` holds NaN or infinity");
                let problem = Problem::new(message).at(self.input.display());
                Err(problem.hint("honest nodes share finite vectors only; rows count from 0"))
            }
            None => Ok(rows),
        }
    }

    fn byzantine(&self, is_attacked: bool) -> Result<usize, Problem> {
        let byzantine = self.byzantine.unwrap_or(if is_attacked { self.f } else { 0 });
        if byzantine > self.f {
            let message = format!("`{byzantine}` Byzantine nodes, but only `{}` tolerated", self.f);
            let problem = Problem::new(message).at("--byzantine");
            return Err(problem.hint(format!("the bounds hold from `-f {byzantine}` on")));
        }
        if is_attacked && byzantine == 0 {
            let problem = Problem::new("an attack without Byzantine nodes").at("--attack");
            return Err(problem.hint("`-f` and `--byzantine` say how many there are"));
        }
        Ok(byzantine)
    }

    fn bounds(&self, n: usize, dim: usize) -> Result<AgreementBounds, Problem> {
        let place = format!("-f {}", self.f);
        if n > ROWS_MAX as usize {
            return Err(Problem::new(format!("`{n}` nodes, above `{ROWS_MAX}`")).at(place));
        }
        let population = Population::new(n, self.f);
        let population = population.map_err(|error| Problem::new(error.to_string()).at(&place))?;
        let rule = match (self.algorithm, self.midpoint) {
            (Algorithm::Mda, _) => AgreementRule::MinimumDiameter {
                quorum: self.quorum.unwrap_or(population.quorum()),
            },
            (Algorithm::RbTm, false) => AgreementRule::TrimmedMean,
            (Algorithm::RbTm, true) => AgreementRule::TrimmedMidpoint,
        };
        AgreementBounds::new(rule, population, dim).map_err(|error| {
            let problem = Problem::new(error.to_string());
            match error {
                AgreementError::Population(PopulationError::Bound { .. })
                    if self.algorithm == Algorithm::Mda
                        && population.require(AgreementRule::TrimmedMean.bound()).is_ok() =>
                {
                    problem.at(place).hint("`--algorithm rb-tm` needs n ≥ 3f + 1 only")
                }
                AgreementError::Population(_) => problem.at(place).hint(format!(
                    "n is the number of rows, `{}`, and of Byzantine nodes; add rows or lower `-f`",
                    n - self.byzantine.unwrap_or(if self.attack.is_some() { self.f } else { 0 })
                )),
                AgreementError::Quorum { least, most, .. } => {
                    let hint = format!("take one from `{least}` to `{most}`");
                    problem.at("--quorum").hint(hint)
                }
                AgreementError::Search { .. } => {
                    problem.at(place).hint("`--algorithm rb-tm` searches for nothing")
                }
                AgreementError::Passes { .. } => problem.at(place).hint("lower `-f`"),
            }
        })
    }

    fn write(
        &self,
        writer: &Writer,
        account: &Account,
        printer: &mut Printer,
    ) -> Result<(), Problem> {
        let rows: Vec<&[f32]> = account.outcomes.iter().map(|vector| &**vector).collect();
        match is_stream(&self.output) {
            true => to_stdout(printer, &rows),
            false => writer.write(&rows, "vectors", true),
        }
    }

    fn draw(
        &self,
        bounds: &AgreementBounds,
        accounts: &[Account],
        (svg, csv): &(PathBuf, PathBuf),
    ) -> Result<(), Problem> {
        let before = accounts[0].diameter;
        let passes = accounts[0].passes.len() as i32;
        let factor = before * bounds.width_factor();
        let curve = |account: &Account| {
            let after = account.passes.iter().map(|pass| pass.diameter);
            [account.diameter].into_iter().chain(after).collect()
        };
        let (n, f) = (bounds.population().n(), bounds.population().f());
        let contraction = Contraction {
            title: format!("Diameter of the honest vectors, n = {n}, f = {f}"),
            curves: accounts.iter().map(curve).collect(),
            bound: (0..=passes).map(|pass| factor * bounds.contraction().powi(pass)).collect(),
        };
        let write = |path: &Path, text: String| {
            std::fs::write(path, text).map_err(|error| Problem::io("cannot write", path, &error))
        };
        let drawn = contraction.draw();
        write(svg, drawn.svg)?;
        write(csv, drawn.csv)
    }

    /// The worst of all seeds, pass by pass.
    fn show(&self, bounds: &AgreementBounds, accounts: &[Account], printer: &mut Printer) {
        let lines = report(bounds, accounts, self.halvings, printer);
        // A vector on stdout is not mixed with talk.
        for line in lines {
            match is_stream(&self.output) {
                true => printer.note(line),
                false => printer.result(line),
            }
        }
        if !is_stream(&self.output) {
            let outcomes = counted(accounts[0].outcomes.len(), "vector");
            printer.note(format!("{outcomes}: {}", self.output.display()));
        }
    }
}

fn report(
    bounds: &AgreementBounds,
    accounts: &[Account],
    halvings: u16,
    printer: &Printer,
) -> Vec<String> {
    let (n, f, q) = (bounds.population().n(), bounds.population().f(), bounds.quorum());
    let (rho, kappa) = (plain(bounds.contraction()), plain(bounds.error()));
    let passes = accounts[0].passes.len();
    let mut lines = vec![format!(
        "{}: n = {n}, f = {f}, q = {q}, d = {}; ρ = {rho}, κ = {kappa} ({} widths); {} for {}",
        bounds.rule().name(),
        bounds.dim(),
        bounds.width(),
        if passes == 1 { "1 pass".into() } else { format!("{passes} passes") },
        counted(usize::from(halvings), "halving"),
    )];
    if passes > 0 {
        lines.push(columns(&table(bounds, accounts)));
    }
    let worst = |value: fn(&Account) -> f64| accounts.iter().map(value).fold(0.0, f64::max);
    let share = worst(|account| match account.last_diameter() {
        0.0 => 0.0,
        last => last / account.diameter,
    });
    let promised = plain((-f64::from(halvings)).exp2());
    lines.push(format!(
        "diameter {} to at most {}: times {} (promised {promised})",
        plain(worst(|account| account.diameter)),
        plain(worst(Account::last_diameter)),
        plain(share),
    ));
    lines.push(format!(
        "the mean moved by at most {} diameters (promised C = {}; nobody can promise less than {})",
        plain(worst(Account::moved_share)),
        plain(bounds.constant()),
        plain(bounds.least_constant()),
    ));
    let broken = accounts.iter().filter(|account| !account.keeps_all()).count();
    let of = counted(accounts.len(), "seed");
    lines.push(match broken {
        0 => format!("{} in {of}", printer.paint(Tone::Good, "every bound kept")),
        broken => format!("{} in {broken} of {of}", printer.paint(Tone::Bad, "a bound broken")),
    });
    lines
}

fn table(bounds: &AgreementBounds, accounts: &[Account]) -> Vec<Vec<String>> {
    let has_box = bounds.width() == Width::Coordinate;
    let mut head = vec!["pass", "diameter", "ratio", "of ρ", "error", "of κ"];
    if has_box {
        head.push("in box");
    }
    head.extend(["messages", "bytes"]);
    let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for at in 0..accounts[0].passes.len() {
        let worst = |value: fn(&account::Pass) -> f64| {
            accounts.iter().map(|account| value(&account.passes[at])).fold(0.0, f64::max)
        };
        let (ratio, error) = (worst(|pass| pass.ratio), worst(|pass| pass.error));
        let of = |value: f64, bound: f64| match value {
            0.0 => "0 %".into(),
            value => format!("{:.1} %", 100.0 * value / bound),
        };
        let first = &accounts[0].passes[at];
        let mut row = vec![
            first.pass.to_string(),
            plain(worst(|pass| pass.diameter)),
            plain(ratio),
            of(ratio, bounds.contraction()),
            plain(error),
            of(error, bounds.error()),
        ];
        if has_box {
            let is_in_box = accounts.iter().all(|account| account.passes[at].is_in_box);
            row.push(if is_in_box { "yes".into() } else { "no".into() });
        }
        row.extend([count(first.messages), bytes(first.bytes as f64)]);
        rows.push(row);
    }
    rows
}

/// The attack as it is built for all n nodes, which search against the rule of one pass.
fn forger(
    attack: &Chosen<AttackRule>,
    bounds: &AgreementBounds,
    byzantine: usize,
) -> Result<Box<dyn Attack>, Problem> {
    let name = attack.entry.name;
    let rule = find(RULES, bounds.rule().name()).expect("the rule is in the registry");
    let population = bounds.population();
    let cannot = |error| {
        let problem = Problem::new(format!("attack `{name}` cannot be built: {error}"));
        problem.at("--attack").hint(format!("`phalanx explain attack/{name}` shows what it needs"))
    };
    let built = (rule.build.build)(&phalanx_robust::Args::default(), population);
    let defence = Defence { rule: built.map_err(cannot)?, is_self_centred: false };
    let setup = AttackSetup { args: &attack.args, population, byzantine, defence };
    let built = (attack.entry.build.build)(setup).map_err(cannot)?;
    let needs = built.needs();
    let missing = [
        (needs.flipped, "gradients on flipped labels"),
        (needs.models, "models before the local step"),
    ];
    match missing.iter().find(|(is_needed, _)| *is_needed) {
        Some((_, what)) => {
            let message = format!("attack `{name}` needs {what}, which no file of vectors holds");
            Err(Problem::new(message).at("--attack").hint("`phalanx run` has them"))
        }
        None => Ok(built),
    }
}

/// Where the drawing and the numbers behind it go; checked before anything is computed.
fn figure_places(path: &Path) -> Result<(PathBuf, PathBuf), Problem> {
    if path.extension().is_none_or(|ending| ending != "svg") {
        let problem = Problem::new("the ending is not `.svg`").at(path.display());
        return Err(problem.hint("the numbers are written beside it, with the ending `.csv`"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !folder.is_dir()) {
        Some(folder) => {
            let problem = Problem::new("the folder of the figure does not exist");
            Err(problem.at(folder.display()))
        }
        None => Ok((path.into(), path.with_extension("csv"))),
    }
}
