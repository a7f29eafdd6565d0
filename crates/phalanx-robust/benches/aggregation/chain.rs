//! Mixings and a rule from one line of text.
use std::collections::BTreeMap;

use phalanx_robust::mixing::MIXINGS;
use phalanx_robust::registry::find;
use phalanx_robust::rule::BuildError;
use phalanx_robust::{Aggregator, Args, Mixing, Param, Population, RULES, Value};

use crate::measure::Anything;

/// What a text names: mixings in order, and the rule where it ends in one.
pub type Links = (Vec<Box<dyn Mixing>>, Option<Box<dyn Aggregator>>);

/// Builds `mixing+mixing+rule`, each with its parameters.
pub fn links(text: &str, population: Population) -> Anything<Links> {
    let mut mixings = Vec::new();
    let mut links = text.split('+').peekable();
    while let Some(link) = links.next() {
        let (name, given) = link_of(link)?;
        if let Some(entry) = find(MIXINGS, name) {
            let args = check(name, entry.params, &given)?;
            mixings.push((entry.build.build)(&args, population)?);
        } else {
            let entry = find(RULES, name).ok_or(format!("no rule or mixing `{name}`"))?;
            let rule = (entry.build.build)(&check(name, entry.params, &given)?, population)?;
            if links.peek().is_some() {
                return Err(format!("`{name}` is a rule, and ends a chain").into());
            }
            return Ok((mixings, Some(rule)));
        }
    }
    Ok((mixings, None))
}

/// `name/key=value/key=value`.
pub fn link_of(link: &str) -> Anything<(&str, BTreeMap<String, Value>)> {
    let mut words = link.split('/');
    let name = words.next().unwrap_or_default();
    let given = words.map(|word| {
        let (key, text) = word.split_once('=').ok_or(format!("`{word}` is not key=value"))?;
        let value = match (text.parse(), text.parse()) {
            (Ok(whole), _) => Value::Integer(whole),
            (_, Ok(number)) => Value::Number(number),
            _ => Value::Text(text.into()),
        };
        Ok((key.to_owned(), value))
    });
    Ok((name, given.collect::<Anything<_>>()?))
}

/// Checked parameters of an entry.
pub fn check(
    name: &str,
    params: &'static [Param],
    given: &BTreeMap<String, Value>,
) -> Result<Args, BuildError> {
    Ok(Args::check(name, params, given)?)
}
