//! How often a value was at most so large.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts by bounds, with the sum of all that was observed. One thread observes; any may read.
pub struct Histogram {
    bounds: &'static [f64],
    /// One a bound, and one for what is larger than all of them.
    counts: Vec<AtomicU64>,
    /// The bits of an `f64`.
    sum: AtomicU64,
}

impl Histogram {
    /// Nothing observed yet; `bounds` go up.
    pub fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// Counts a value.
    pub fn observe(&self, value: f64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        let sum = f64::from_bits(self.sum.load(Ordering::Relaxed)) + value;
        self.sum.store(sum.to_bits(), Ordering::Relaxed);
    }

    /// For each bound how many values were at most that; then how many there were, and their sum.
    pub fn read(&self) -> (Vec<(f64, u64)>, u64, f64) {
        let mut below = 0;
        let mut counts = self.counts.iter().map(|count| {
            below += count.load(Ordering::Relaxed);
            below
        });
        let buckets = self.bounds.iter().copied().zip(counts.by_ref()).collect();
        let all = counts.last().unwrap_or_default();
        (buckets, all, f64::from_bits(self.sum.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_in_every_bucket_it_fits_into() {
        let histogram = Histogram::new(&[1.0, 2.0, 5.0]);
        for value in [0.5, 1.0, 1.5, 5.0, 100.0] {
            histogram.observe(value);
        }
        assert_eq!(histogram.read(), (vec![(1.0, 2), (2.0, 3), (5.0, 4)], 5, 108.0));
    }
}
