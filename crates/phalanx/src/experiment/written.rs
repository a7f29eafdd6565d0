//! The resolved form: one run as a TOML file that repeats exactly it, every default filled in.
use std::fmt::Write as _;

use phalanx_report::FORMAT;
use phalanx_robust::Value;

use crate::experiment::resolve::{Choice, Reach, Run, Wait};

/// Characters of an id: enough that two settings of one experiment never meet.
const ID_CHARACTERS: usize = 10;

impl Run {
    /// The run as an experiment file with one arm and one seed.
    ///
    /// Expectations are not part of it: they are about runs, not of them.
    pub fn to_toml(&self) -> String {
        self.written(&self.seed.to_string())
    }

    /// Short hash of everything but the seed, so that the seeds of one arm share it.
    pub fn id(&self) -> String {
        let hash = blake3::hash(self.written("").as_bytes()).to_hex();
        hash[..ID_CHARACTERS].to_owned()
    }

    /// Name of its run folder.
    pub fn folder_name(&self) -> String {
        format!("{}-{}-s{}", slug(&self.arm), self.id(), self.seed)
    }

    fn written(&self, seeds: &str) -> String {
        let Self { population, exchange, network, plan, .. } = self;
        let wait = match exchange.wait {
            Wait::Quorum => "quorum",
            Wait::All => "all",
        };
        let mixing: Vec<String> = self.mixing.iter().map(|choice| written(choice, "")).collect();
        let mut out = String::new();
        let mut line = |key: &str, value: String| {
            writeln!(out, "{key:<10} = {value}").expect("writing to a string cannot fail");
        };
        line("format", FORMAT.to_string());
        line("name", text(&self.experiment));
        line("population", format!("{{ n = {}, f = {} }}", population.n(), population.f()));
        line("task", written(&self.task, ""));
        line("algorithm", written(&self.algorithm, ""));
        line("rule", written(&self.rule, ""));
        line("mixing", format!("[{}]", mixing.join(", ")));
        line("attack", self.written_attack());
        if !self.misbehaviours.is_empty() {
            let all = self.misbehaviours.iter().map(|choice| written(choice, ""));
            line("misbehaviour", format!("[{}]", all.collect::<Vec<_>>().join(", ")));
        }
        let own = match exchange.choice.name {
            "direct" => format!(
                "wait = {}, timeout-ms = {}, finite = {}",
                text(wait),
                number(exchange.timeout_ms),
                exchange.is_finite_required
            ),
            _ => String::new(),
        };
        line("exchange", written(&exchange.choice, &own));
        line(
            "network",
            format!(
                "{{ delay-ms-min = {}, delay-ms-max = {}, compute-ms-min = {}, \
                 compute-ms-max = {}, loss = {} }}",
                number(network.delay_ms.0),
                number(network.delay_ms.1),
                number(network.compute_ms.0),
                number(network.compute_ms.1),
                number(network.loss)
            ),
        );
        line(
            "run",
            format!(
                "{{ rounds = {}, seeds = [{seeds}], evaluate-every = {} }}",
                plan.rounds, plan.evaluate_every
            ),
        );
        writeln!(out, "\n[[arm]]\nname = {}", text(&self.arm)).expect("as above");
        out
    }

    fn written_attack(&self) -> String {
        let reach = match self.reach {
            Reach::All => "all",
            Reach::Sampled => "sampled",
        };
        match &self.attack {
            Some(choice) => {
                let own = format!("count = {}, reach = {}", self.byzantine, text(reach));
                written(choice, &own)
            }
            None => "{ name = \"none\" }".into(),
        }
    }
}

/// A choice as a table of TOML: its name, keys that are not parameters, every parameter.
pub(crate) fn written(choice: &Choice, own: &str) -> String {
    let mut parts = vec![format!("name = {}", text(choice.name))];
    if !own.is_empty() {
        parts.push(own.into());
    }
    for (name, value) in choice.args.values() {
        let value = match value {
            Value::Integer(value) => value.to_string(),
            Value::Number(value) => number(*value),
            Value::Flag(value) => value.to_string(),
            Value::Text(value) => text(value),
        };
        parts.push(format!("{name} = {value}"));
    }
    format!("{{ {} }}", parts.join(", "))
}

/// A text as TOML.
pub(crate) fn text(value: &str) -> String {
    toml::Value::String(value.into()).to_string()
}

/// Always with a point or exponent, and read back to the same bits.
pub(crate) fn number(value: f64) -> String {
    toml::Value::Float(value).to_string()
}

/// Characters of a name that are kept, at most: a path has room for so many and a digest.
const NAME_CHARACTERS: usize = 100;

/// Name of the folder of an experiment: what is safe of its own name as part of a path, and where
/// that loses letters, because they are not ASCII or too many, a digest of all of it, so that such
/// experiments never share a folder.
pub fn experiment_folder(name: &str) -> String {
    let slug = slug(name);
    if name.is_ascii() && name.len() <= NAME_CHARACTERS {
        return slug;
    }
    let digest = blake3::hash(name.as_bytes()).to_hex();
    // No other folder has this sign, so none is that of another experiment.
    format!("{}@{}", slug.trim_matches('-'), &digest[..ID_CHARACTERS])
}

/// What is safe of a name as part of a path; other names may have the same.
fn slug(name: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || "-_.=+".contains(c);
    let slug: String =
        name.chars().take(NAME_CHARACTERS).map(|c| if keep(c) { c } else { '-' }).collect();
    match slug.strip_prefix('.') {
        Some(rest) => format!("-{rest}"),
        None => slug,
    }
}
