//! A campaign read as a table: which settings vary, and what became of each defence under each
//! attack at each point of the rest.
mod axes;
mod labels;
mod ranking;

use std::collections::BTreeMap;

pub(crate) use axes::{Axis, Role};
pub(crate) use ranking::{Rank, WorstCase};

use crate::folder::{FolderError, less_is_better};
use crate::number::Unit;
use crate::read::Arm;
use crate::settings::{self, Setting, Settings};
use crate::spread::{Pick, Spread, score_names};

/// Name of the column of arms that nobody attacks.
pub(crate) const NO_ATTACK: &str = "no attack";

/// Arms by defence (row), attack (column) and everything else that varies (panel).
pub(crate) struct Campaign<'a> {
    /// the first score, which all tables are about
    pub(crate) score: String,
    pub(crate) unit: Unit,
    /// what varies, in reading order
    pub(crate) axes: Vec<Axis>,
    /// settings that are the same in all arms
    pub(crate) fixed: Settings,
    /// defences, best first by their worst case
    pub(crate) rows: Vec<String>,
    /// attacks; [`NO_ATTACK`] first where it occurs
    pub(crate) columns: Vec<String>,
    /// points of the other axes, in order; a single one without name if there are none
    pub(crate) panels: Vec<Panel>,
    /// short names in labels and what they stand for
    pub(crate) short: Vec<(String, String)>,
    cells: BTreeMap<(usize, usize, usize), &'a Arm<'a>>,
}

/// One point of the axes that are neither defence nor attack.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Panel {
    /// `f = 4, gamma = 0.5`; empty if there are no such axes
    pub(crate) name: String,
    /// value of each such axis, in the order of the axes
    pub(crate) point: Vec<Option<Setting>>,
}

/// One arm at its place.
#[derive(Clone, Copy)]
pub(crate) struct Cell<'a> {
    pub(crate) arm: &'a Arm<'a>,
    /// over seeds: mean of honest nodes
    pub(crate) mean: Option<Spread>,
    /// over seeds: worst honest node
    pub(crate) worst: Option<Spread>,
}

impl Cell<'_> {
    /// Whether all seeds finished, and with a number.
    pub(crate) fn is_sound(&self) -> bool {
        let is_finite = |spread: &Option<Spread>| spread.is_some_and(|s| s.mean.is_finite());
        self.arm.is_finished() && is_finite(&self.mean) && is_finite(&self.worst)
    }
}

impl<'a> Campaign<'a> {
    /// Reads arms as a campaign; `None` where nothing was evaluated.
    ///
    /// # Errors
    /// An experiment is not TOML.
    pub(crate) fn of(arms: &'a [Arm<'a>]) -> Result<Option<Self>, FolderError> {
        let Some(score) = score_names(arms).into_iter().next() else { return Ok(None) };
        let settings = arms.iter().map(settings_of).collect::<Result<Vec<_>, _>>()?;
        let axes = axes::axes(&settings);
        let fixed = axes::fixed(&settings);
        let short = labels::short_names(&axes);
        let place = |settings: &Settings| labels::Place::of(&axes, settings, &short);
        let places: Vec<labels::Place> = settings.iter().map(place).collect();
        let mut rows = distinct(places.iter().map(|place| &place.defence));
        let mut columns = distinct(places.iter().map(|place| &place.attack));
        // What an attack costs is read against none.
        columns.sort_by_key(|name| (name != NO_ATTACK, name.clone()));
        let panels = labels::panels(&axes, &places);
        rows.sort();
        let mut campaign = Self {
            unit: Unit::of(&score),
            score,
            axes,
            fixed,
            rows,
            columns,
            panels,
            short,
            cells: BTreeMap::new(),
        };
        campaign.place(arms, &places);
        let order: Vec<String> = campaign.ranking().into_iter().map(|rank| rank.name).collect();
        campaign.rows = order;
        campaign.cells.clear();
        campaign.place(arms, &places);
        Ok(Some(campaign))
    }

    fn place(&mut self, arms: &'a [Arm<'a>], places: &[labels::Place]) {
        for (arm, place) in arms.iter().zip(places) {
            let find = |names: &[String], name: &String| names.iter().position(|n| n == name);
            let panel = self.panels.iter().position(|panel| panel.point == place.point);
            let row = find(&self.rows, &place.defence);
            let column = find(&self.columns, &place.attack);
            if let (Some(panel), Some(row), Some(column)) = (panel, row, column) {
                self.cells.insert((panel, row, column), arm);
            }
        }
    }

    /// The arm of a panel, row and column, if that point was run.
    pub(crate) fn cell(&self, panel: usize, row: usize, column: usize) -> Option<Cell<'a>> {
        let arm = *self.cells.get(&(panel, row, column))?;
        let [mean, worst] = [Pick::Mean, Pick::Worst].map(|pick| arm.score(&self.score, pick));
        Some(Cell { arm, mean, worst })
    }

    /// All arms of a row.
    pub(crate) fn arms_of(&self, row: usize) -> Vec<&'a Arm<'a>> {
        self.cells.iter().filter(|((_, r, _), _)| *r == row).map(|(_, arm)| *arm).collect()
    }

    /// Whether in some arm the worst honest node is not the mean of them: with a server there is
    /// one model alone.
    pub(crate) fn has_nodes(&self) -> bool {
        let differs = |arm: &&Arm<'_>| {
            let [mean, worst] = [Pick::Mean, Pick::Worst].map(|pick| arm.score(&self.score, pick));
            mean.map(|spread| spread.mean) != worst.map(|spread| spread.mean)
        };
        self.cells.values().any(differs)
    }

    /// Whether a column is of arms that nobody attacks.
    pub(crate) fn is_attack(&self, column: usize) -> bool {
        self.columns[column] != NO_ATTACK
    }

    /// Whether a panel has any arm in a column.
    pub(crate) fn has_column(&self, panel: usize, column: usize) -> bool {
        (0..self.rows.len()).any(|row| self.cells.contains_key(&(panel, row, column)))
    }

    /// Whether a panel has any arm in a row.
    pub(crate) fn has_row(&self, panel: usize, row: usize) -> bool {
        (0..self.columns.len()).any(|column| self.cells.contains_key(&(panel, row, column)))
    }

    /// -1 if more of the score is better, 1 if less is: what sorts the best first.
    pub(crate) fn sign(&self) -> f64 {
        if less_is_better(&self.score) { 1.0 } else { -1.0 }
    }

    /// The best sound row of a column, by the mean of honest nodes.
    pub(crate) fn best_of_column(&self, panel: usize, column: usize) -> Vec<usize> {
        let value = |row: usize| {
            let cell = self.cell(panel, row, column).filter(Cell::is_sound)?;
            Some((row, cell.mean?.mean))
        };
        best((0..self.rows.len()).filter_map(value), self.sign())
    }
}

/// Those of the best value; more than one where they are equal, none where nothing competes.
pub(crate) fn best(values: impl Iterator<Item = (usize, f64)>, sign: f64) -> Vec<usize> {
    let values: Vec<(usize, f64)> = values.collect();
    if values.len() < 2 {
        return Vec::new();
    }
    let least = values.iter().map(|(_, value)| value * sign).fold(f64::INFINITY, f64::min);
    values.into_iter().filter(|(_, value)| value * sign == least).map(|(row, _)| row).collect()
}

fn distinct<'s>(names: impl Iterator<Item = &'s String>) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = names.collect();
    names.into_iter().cloned().collect()
}

/// The settings that seeds of an arm share, with its name and experiment.
fn settings_of(arm: &Arm<'_>) -> Result<Settings, FolderError> {
    let Some(run) = arm.runs.first() else { return Ok(Settings::new()) };
    let mut settings = settings::of_run(run)?;
    settings.insert("arm".into(), Setting::Text(arm.name.clone()));
    settings.insert("experiment".into(), Setting::Text(run.summary.experiment.clone()));
    Ok(settings)
}
