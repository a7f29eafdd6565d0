//! What kind of experiment file a document is, and which command reads it.
use crate::experiment::document::Table;
use crate::problem::Problem;

/// The kinds of experiment files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// learning among nodes: arms, sweeps and seeds
    Learning,
    /// an unknown plant that is to be regulated
    Regulation,
    /// a plant that must stay clear of obstacles
    SafeControl,
}

/// Keys that tell a file of safe control from one of regulation.
const TELLING: &[&str] = &["barrier", "goal", "learning", "model", "obstacles", "planner", "start"];

impl FileKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Learning, Self::Regulation, Self::SafeControl];

    /// The kind of a document; one that is nothing yet is taken for a file of `phalanx run`.
    ///
    /// Files of `phalanx control` have a plant and no task.
    pub fn of(table: &Table) -> Self {
        let has_plant = table.contains_key("plant") && !table.contains_key("task");
        match (has_plant, is_safe_control(table)) {
            (true, true) => Self::SafeControl,
            (true, false) => Self::Regulation,
            (false, _) => Self::Learning,
        }
    }

    /// The commands that carry out such a file, the first of them first of all.
    pub fn commands(self) -> &'static [&'static str] {
        match self {
            Self::Learning => &["phalanx run", "phalanx sweep"],
            Self::Regulation => &["phalanx control regulate"],
            Self::SafeControl => &["phalanx control plan", "phalanx control simulate"],
        }
    }

    /// That a file is of this kind, and not of the one that was asked for.
    pub fn refuse(self, shown: &str) -> Problem {
        let command = self.commands()[0];
        let problem = Problem::new(format!("this is a file of `{command}`")).at(shown);
        problem.hint(format!("`{command} {shown}` reads it"))
    }
}

/// Whether a document, known to be about a plant, is one of safe control and not of regulation.
pub fn is_safe_control(table: &Table) -> bool {
    TELLING.iter().any(|key| table.contains_key(*key))
}
