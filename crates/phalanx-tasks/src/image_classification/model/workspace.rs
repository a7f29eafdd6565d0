//! Buffers that siblings share: as many as compute at the same time, not one per node.
use std::sync::{Arc, Mutex, PoisonError};

/// Buffers of one step.
pub(super) trait Workspace: Default + Send {
    /// Bytes that the buffers hold.
    fn bytes(&self) -> u64;
}

/// Hands out a workspace per call; a buffer's old content never reaches a result.
#[derive(Debug)]
pub(super) struct Pool<W>(Arc<Mutex<Vec<W>>>);

impl<W> Clone for Pool<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: Workspace> Pool<W> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Vec::new())))
    }

    /// Runs `work` with a workspace that nobody else holds meanwhile.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut W) -> R) -> R {
        // The list is whole between two operations, so poisoning tells nothing.
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut workspace = taken.unwrap_or_default();
        let result = work(&mut workspace);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
        result
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(W::bytes).sum()
    }
}

/// At least `len` entries, grown once to the largest that was ever asked for.
pub(super) fn grown<T: Copy + Default>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
    &mut buffer[..len]
}

/// Bytes of a buffer.
pub(super) fn held<T>(buffer: &Vec<T>) -> u64 {
    (buffer.capacity() * size_of::<T>()) as u64
}
