//! Counts of times, for their quantiles.

/// Times in nanoseconds, kept to 3 %.
pub struct Histogram {
    counts: Box<[u64]>,
    total: u64,
}

const STEPS: u64 = 32;

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; (STEPS * 60) as usize].into(), total: 0 }
    }
}

impl Histogram {
    pub fn record(&mut self, value: u64) {
        self.counts[Self::bucket(value)] += 1;
        self.total += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            *sum += count;
        }
        self.total += other.total;
    }

    /// The value that `share` of all are below or at; 0 when there is none.
    pub fn quantile(&self, share: f64) -> u64 {
        let mut left = (self.total as f64 * share).ceil() as u64;
        for (bucket, &count) in self.counts.iter().enumerate() {
            if count >= left && count > 0 {
                return Self::value(bucket as u64);
            }
            left = left.saturating_sub(count);
        }
        0
    }

    fn bucket(value: u64) -> usize {
        if value < STEPS {
            return value as usize;
        }
        let octave = u64::from(value.ilog2() - STEPS.ilog2());
        (STEPS * octave + (value >> octave)) as usize
    }

    fn value(bucket: u64) -> u64 {
        if bucket < 2 * STEPS {
            return bucket;
        }
        let octave = bucket / STEPS - 1;
        (bucket - STEPS * octave) << octave
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_right_to_three_percent() {
        for value in [0, 1, 31, 32, 33, 63, 64, 1_000, 123_456, 9_876_543_210, u64::MAX >> 1] {
            let mut histogram = Histogram::default();
            histogram.record(value);
            let found = histogram.quantile(0.5);
            assert!(found <= value && value - found <= value / 32, "{value} became {found}");
        }
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|value| histogram.record(value * 1000));
        let [p50, p99] = [0.5, 0.99].map(|share| histogram.quantile(share));
        assert!(
            (480_000..=500_000).contains(&p50) && (960_000..=990_000).contains(&p99),
            "{p50} {p99}"
        );
    }
}
