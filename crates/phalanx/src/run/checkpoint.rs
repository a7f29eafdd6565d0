//! A checkpoint: where the record stood, what it added up to, and the simulation's snapshot.
use phalanx_report::FORMAT;
use phalanx_robust::{StateError, StateReader, StateWriter};

use crate::experiment::Run;
use crate::problem::Problem;
use crate::run::clock::Spent;
use crate::run::tally::Tally;

const MAGIC: &[u8] = b"phalanx checkpoint";
const DIGEST_BYTES: usize = 32;

/// Everything that a run needs to go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// bytes of the record at that moment
    pub offset: u64,
    /// time spent so far
    pub spent: Spent,
    /// counters
    pub tally: Tally,
    /// the simulation's own snapshot
    pub snapshot: Vec<u8>,
}

impl Checkpoint {
    /// The bytes of the file, a digest of them at the end.
    pub fn to_bytes(&self, run: &Run) -> Vec<u8> {
        let mut out = StateWriter::default();
        out.bytes(MAGIC);
        out.u64(u64::from(FORMAT));
        out.bytes(BUILD.as_bytes());
        out.bytes(run.folder_name().as_bytes());
        out.u64(self.offset);
        out.f64(self.spent.wall_seconds);
        out.f64(self.spent.cpu_seconds);
        self.tally.save(&mut out);
        out.bytes(&self.snapshot);
        let mut bytes = out.finish();
        let digest = blake3::hash(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        bytes
    }

    /// Reads what [`Checkpoint::to_bytes`] wrote for the same run with the same program.
    ///
    /// # Errors
    /// When the file is damaged, of another format, of another build or of another run.
    pub fn from_bytes(bytes: &[u8], run: &Run) -> Result<Self, Problem> {
        let damaged = || {
            let problem = Problem::new("this checkpoint is damaged");
            problem.hint("`--force` starts the run again")
        };
        let length = bytes.len().checked_sub(DIGEST_BYTES).ok_or_else(damaged)?;
        let (content, digest) = bytes.split_at(length);
        if blake3::hash(content).as_bytes() != digest {
            return Err(damaged());
        }
        let input = &mut StateReader::new(content);
        Self::read(input, run).map_err(|_| damaged())?
    }

    fn read(input: &mut StateReader<'_>, run: &Run) -> Result<Result<Self, Problem>, StateError> {
        if input.bytes()? != MAGIC {
            return Err(StateError::Mismatch { what: "the file's kind" });
        }
        let format = input.u64()?;
        if format != u64::from(FORMAT) {
            let message = format!("format `{format}`, but this version reads `{FORMAT}`");
            let hint = "resume it with the version of phalanx that wrote it, or start again with \
                        `--force`";
            return Ok(Err(Problem::new(message).hint(hint)));
        }
        let writer = String::from_utf8_lossy(input.bytes()?).into_owned();
        if writer != BUILD {
            let message = format!("written by build `{writer}`, but this is `{BUILD}`");
            let hint = "a resumed run would mix two programs: resume it with the one that wrote \
                        it, or start again with `--force`";
            return Ok(Err(Problem::new(message).hint(hint)));
        }
        if input.bytes()? != run.folder_name().as_bytes() {
            let problem = Problem::new("this checkpoint belongs to another run");
            return Ok(Err(problem.hint("`--force` starts the run again")));
        }
        let offset = input.u64()?;
        let spent = Spent { wall_seconds: input.f64()?, cpu_seconds: input.f64()? };
        let tally = Tally::load(input)?;
        let snapshot = input.bytes()?.to_vec();
        if !input.is_at_end() {
            return Err(StateError::Mismatch { what: "the file's end" });
        }
        Ok(Ok(Self { offset, spent, tally, snapshot }))
    }
}

/// Version and, where known, commit of this program.
pub const BUILD: &str = env!("PHALANX_VERSION");
