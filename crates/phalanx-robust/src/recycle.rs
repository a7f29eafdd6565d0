//! Keeps a vector's allocation while the lifetime of what it holds changes from call to call.

/// An empty vector of `U` in the allocation of an emptied vector of `T`, where the layouts agree.
///
/// Collecting an emptied `IntoIter` reuses its allocation; where a library version does not, the
/// result is the same and only an allocation is lost.
pub(crate) fn recycle<T, U>(mut used: Vec<T>) -> Vec<U> {
    used.clear();
    used.into_iter().map(|_| unreachable!("the vector was emptied")).collect()
}

#[cfg(test)]
mod tests {
    use super::recycle;

    #[test]
    fn the_allocation_is_kept() {
        let numbers = [1.0f32, 2.0];
        let mut rows: Vec<&[f32]> = Vec::with_capacity(100);
        rows.push(&numbers);
        let address = rows.as_ptr() as usize;
        let again: Vec<&'static [f32]> = recycle(rows);
        assert!(again.is_empty());
        assert_eq!((again.as_ptr() as usize, again.capacity()), (address, 100));
    }
}
