//! Names and parameters from the command line, looked up and checked against the registries.
use std::collections::BTreeMap;

use clap::{ArgAction, ArgMatches};
use phalanx_robust::mixing::{MIXINGS, Mixing, MixingRule};
use phalanx_robust::registry::find;
use phalanx_robust::rule::BuildError;
use phalanx_robust::{
    Aggregator, ArgError, Args, Entry, Param, ParamKind, Population, Rule, Value,
};

use crate::experiment::Kind;
use crate::problem::Problem;

/// An entry that was named, with its parameters.
#[derive(Debug)]
pub struct Chosen<B: 'static> {
    /// the entry
    pub entry: &'static Entry<B>,
    /// checked parameters
    pub args: Args,
}

impl<B> Chosen<B> {
    /// Looks up `name` and checks `params`, each of the form `key=value`.
    ///
    /// # Errors
    /// For unknown names and parameters that do not fit; similar names are suggested.
    pub fn new(
        kind: Kind,
        entries: &'static [Entry<B>],
        name: &str,
        params: &[String],
    ) -> Result<Self, Problem> {
        let Some(entry) = find(entries, name) else {
            let problem = Problem::new(format!("unknown {} `{name}`", kind.word()));
            let known = entries.iter().map(|entry| entry.name);
            return Err(problem.among(kind.word(), name, known));
        };
        let mut given = BTreeMap::new();
        for param in params {
            let Some((key, text)) = param.split_once('=') else {
                let problem = Problem::new(format!("`{param}` is not of the form `key=value`"));
                let hint = format!("`phalanx explain {}/{name}` lists parameters", kind.word());
                return Err(problem.hint(hint));
            };
            if given.insert(key.to_owned(), value(entry.params, key, text)).is_some() {
                let message = format!("parameter `{key}` of `{name}` is given twice");
                return Err(Problem::new(message));
            }
        }
        let args = Args::check(entry.name, entry.params, &given)
            .map_err(|error| refused(&error, kind, entry.name))?;
        Ok(Self { entry, args })
    }

    fn built<T>(&self, kind: Kind, built: Result<T, BuildError>) -> Result<T, Problem> {
        let (kind, name) = (kind.word(), self.entry.name);
        built.map_err(|error| {
            let problem = Problem::new(format!("{kind} `{name}` cannot be built: {error}"));
            let place = match error {
                BuildError::Population(_) => "-f".into(),
                _ => format!("--{}", if kind == "mixing" { "mix" } else { kind }),
            };
            problem.at(place).hint(format!("`phalanx explain {kind}/{name}` shows what it needs"))
        })
    }
}

impl Chosen<Rule> {
    /// The rule for so many vectors.
    ///
    /// # Errors
    /// When it does not exist for them.
    pub fn build(&self, population: Population) -> Result<Box<dyn Aggregator>, Problem> {
        self.built(Kind::Rule, (self.entry.build.build)(&self.args, population))
    }
}

impl Chosen<MixingRule> {
    /// The mixing for so many vectors.
    ///
    /// # Errors
    /// When it does not exist for them.
    pub fn build(&self, population: Population) -> Result<Box<dyn Mixing>, Problem> {
        self.built(Kind::Mixing, (self.entry.build.build)(&self.args, population))
    }
}

/// A value of the kind that the parameter declares, where the text can be read so.
fn value(params: &[Param], key: &str, text: &str) -> Value {
    let as_text = || Value::Text(text.into());
    let number = || {
        let integer = text.parse().map(Value::Integer);
        integer.or_else(|_| text.parse().map(Value::Number)).unwrap_or_else(|_| as_text())
    };
    match params.iter().find(|param| param.name == key).map(|param| param.kind) {
        Some(ParamKind::Integer { .. } | ParamKind::Number { .. }) => number(),
        Some(ParamKind::Flag { .. }) => text.parse().map_or_else(|_| as_text(), Value::Flag),
        _ => as_text(),
    }
}

fn refused(error: &ArgError, kind: Kind, entry: &str) -> Problem {
    let problem = Problem::new(error.to_string());
    match error {
        ArgError::Unknown { name, known, .. } => {
            problem.among("parameter", name, known.iter().copied())
        }
        ArgError::Range { found: Value::Text(found), expected, .. } => {
            problem.among("word", found, expected.split(", "))
        }
        _ => problem.hint(format!("`phalanx explain {}/{entry}` shows its range", kind.word())),
    }
}

/// `--mix NAME [key=value]...`, as often as wanted.
#[derive(Debug, Clone, Default)]
pub struct Mixes(Vec<Vec<String>>);

const MIX: &str = "mix";

impl clap::Args for Mixes {
    fn augment_args(command: clap::Command) -> clap::Command {
        let mix = clap::Arg::new(MIX)
            .long(MIX)
            .value_names(["NAME", "KEY=VALUE"])
            .num_args(1..)
            .action(ArgAction::Append)
            .help("Mix the vectors first; may be given several times, first to last");
        command.arg(mix)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Mixes {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let groups = matches.get_occurrences::<String>(MIX).into_iter().flatten();
        Ok(Self(groups.map(|group| group.cloned().collect()).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Mixes {
    /// The input file that was written behind the words of a mixing, if there is one: the last
    /// word of a mixing that is no `key=value`. It is taken from there.
    pub fn take_input(&mut self) -> Option<String> {
        let group =
            self.0.iter_mut().rev().find(|group| {
                group.len() > 1 && group.last().is_some_and(|word| !word.contains('='))
            });
        group.and_then(Vec::pop)
    }

    /// Looks all of them up.
    ///
    /// # Errors
    /// As [`Chosen::new`].
    pub fn choose(&self) -> Result<Vec<Chosen<MixingRule>>, Problem> {
        let one = |group: &Vec<String>| {
            let (name, params) = group.split_first().map_or(("", &[][..]), |(n, p)| (n, p));
            Chosen::new(Kind::Mixing, MIXINGS, name, params).map_err(|problem| problem.at("--mix"))
        };
        self.0.iter().map(one).collect()
    }
}

/// The file that vectors come from: a positional argument, or the word that clap gave to `--mix`.
///
/// # Errors
/// When there is none.
pub fn input(
    given: Option<std::path::PathBuf>,
    mixes: &mut Mixes,
) -> Result<std::path::PathBuf, Problem> {
    given.or_else(|| mixes.take_input().map(Into::into)).ok_or_else(|| {
        let problem = Problem::new("no input file is named");
        problem.hint("for example `phalanx aggregate --rule krum -f 1 in.npy -o out.npy`")
    })
}
