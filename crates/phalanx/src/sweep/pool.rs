//! Work spread over threads, each piece in a rayon pool of its own; what comes of it is heard in
//! one place.
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::problem::Problem;

/// How many pieces at a time, and threads for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crew {
    /// pieces at a time
    pub jobs: usize,
    /// threads of one piece
    pub threads: usize,
}

impl Crew {
    /// For so many pieces: as many as were asked for or as there are cores, which share the cores.
    pub fn new(asked: Option<usize>, cores: usize, pieces: usize) -> Self {
        let jobs = asked.unwrap_or(cores).min(pieces).max(1);
        Self { jobs, threads: (cores / jobs).max(1) }
    }
}

/// What is heard of the work.
#[derive(Debug)]
pub enum Heard<N, R> {
    /// a piece was begun
    Begun {
        /// which piece
        index: usize,
    },
    /// a piece says how far it is
    News {
        /// which piece
        index: usize,
        /// what it says
        news: N,
    },
    /// a piece has ended
    Ended {
        /// which piece
        index: usize,
        /// with what; what it panicked with otherwise
        result: Result<R, Panic>,
    },
    /// nothing for a while
    Silence,
}

/// What a piece panicked with.
pub struct Panic(pub Box<dyn Any + Send>);

impl Panic {
    /// Its message, where it has one.
    pub fn message(&self) -> &str {
        let text = self.0.downcast_ref::<&str>().copied();
        text.or_else(|| self.0.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
    }
}

impl std::fmt::Debug for Panic {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Panic({})", self.message())
    }
}

/// Where a piece leaves its news.
pub struct Desk<'a, N, R> {
    index: usize,
    sender: &'a Sender<Heard<N, R>>,
}

impl<N, R> Desk<'_, N, R> {
    /// Says how far the piece is.
    pub fn say(&self, news: N) {
        // Nobody listens any more only when the listener has panicked.
        let _ = self.sender.send(Heard::News { index: self.index, news });
    }
}

/// Longest silence of [`spread`].
const SILENCE: Duration = Duration::from_millis(100);

/// Carries out the pieces `0..pieces`, in order, as workers become free. `hear` runs on the
/// calling thread. Every piece is taken up; one that should not be is told by `work` itself.
///
/// # Errors
/// When the operating system gives no threads.
#[expect(clippy::disallowed_methods, reason = "runs beside each other, none knows of another")]
pub fn spread<N: Send, R: Send>(
    pieces: usize,
    crew: Crew,
    work: impl Fn(usize, &Desk<'_, N, R>) -> R + Sync,
    mut hear: impl FnMut(Heard<N, R>),
) -> Result<(), Problem> {
    let pools = (0..crew.jobs.min(pieces))
        .map(|_| rayon::ThreadPoolBuilder::new().num_threads(crew.threads).build());
    let pools: Vec<rayon::ThreadPool> = pools
        .collect::<Result<_, _>>()
        .map_err(|error| Problem::new(format!("cannot start threads: {error}")))?;
    let next = AtomicUsize::new(0);
    let (sender, receiver) = channel();
    std::thread::scope(|scope| {
        for pool in pools {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    if index >= pieces {
                        return;
                    }
                    let _ = sender.send(Heard::Begun { index });
                    let piece = || pool.install(|| work(index, &Desk { index, sender: &sender }));
                    let result = catch_unwind(AssertUnwindSafe(piece)).map_err(Panic);
                    let _ = sender.send(Heard::Ended { index, result });
                }
            });
        }
        drop(sender);
        listen(&receiver, &mut hear);
    });
    Ok(())
}

fn listen<N, R>(receiver: &Receiver<Heard<N, R>>, hear: &mut impl FnMut(Heard<N, R>)) {
    loop {
        match receiver.recv_timeout(SILENCE) {
            Ok(heard) => hear(heard),
            Err(RecvTimeoutError::Timeout) => hear(Heard::Silence),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_done_once_and_a_panic_stays_with_its_piece() {
        for jobs in [1, 2, 5] {
            let crew = Crew { jobs, threads: 1 };
            let (mut ended, mut news) = (vec![0; 20], 0);
            let work = |index: usize, desk: &Desk<'_, usize, usize>| {
                desk.say(index);
                assert!(index != 7, "seven");
                assert_eq!(rayon::current_num_threads(), 1);
                index * index
            };
            let hear = |heard| match heard {
                Heard::News { index, news: said } => {
                    assert_eq!(index, said);
                    news += 1;
                }
                Heard::Ended { index: 7, result } => {
                    assert_eq!(result.unwrap_err().message(), "seven");
                    ended[7] += 1;
                }
                Heard::Ended { index, result } => {
                    assert_eq!(result.unwrap(), index * index);
                    ended[index] += 1;
                }
                Heard::Begun { .. } | Heard::Silence => {}
            };
            spread(20, crew, work, hear).unwrap();
            assert_eq!((ended, news), (vec![1; 20], 20));
        }
    }

    #[test]
    fn cores_are_shared_out() {
        let crew = |asked, cores, pieces| {
            let crew = Crew::new(asked, cores, pieces);
            (crew.jobs, crew.threads)
        };
        assert_eq!(crew(None, 8, 100), (8, 1));
        assert_eq!(crew(None, 8, 3), (3, 2));
        assert_eq!(crew(None, 8, 0), (1, 8));
        assert_eq!(crew(Some(2), 8, 100), (2, 4));
        assert_eq!(crew(Some(16), 8, 100), (16, 1));
    }
}
