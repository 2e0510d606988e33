//! Token buckets. Time is an argument.

/// How much somebody may do at once and a second.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Allowed at once.
    pub burst: u32,
    /// Allowed a second afterwards; 0: no limit.
    pub per_second: f64,
}

impl Rate {
    /// After how many µs there is another one.
    fn interval(self) -> u64 {
        // Far less than would let a burst of them saturate.
        ((1_000_000.0 / self.per_second) as u64).min(1 << 40)
    }
}

/// One user's bucket for one rate. Starts full.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    /// When it is full again, in µs since 1970: whoever asks for nothing has nothing to be kept.
    full_at: u64,
}

impl Bucket {
    /// Takes one token at `now` (ms).
    ///
    /// # Errors
    /// The ms until there is one; nothing was taken.
    pub fn take(&mut self, rate: Rate, now: u64) -> Result<(), u64> {
        if rate.per_second == 0.0 {
            return Ok(());
        }
        let (now, interval) = (now.saturating_mul(1_000), rate.interval());
        let full_at = self.full_at.max(now).saturating_add(interval);
        let most = now.saturating_add(interval.saturating_mul(rate.burst.into()));
        if full_at <= most {
            self.full_at = full_at;
            return Ok(());
        }
        // More than that only after the clock went back.
        Err((full_at - most).min(interval).div_ceil(1_000))
    }

    /// Whether it is as full at `now` (ms) as a new one.
    pub fn is_full(&self, now: u64) -> bool {
        self.full_at <= now.saturating_mul(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_THEN_ONE: Rate = Rate { burst: 10, per_second: 1.0 };

    #[test]
    fn ten_at_once_then_one_a_second() {
        let mut bucket = Bucket::default();
        for _ in 0..10 {
            assert_eq!(bucket.take(TEN_THEN_ONE, 0), Ok(()));
        }
        assert_eq!(bucket.take(TEN_THEN_ONE, 0), Err(1000));
        assert_eq!(bucket.take(TEN_THEN_ONE, 400), Err(600));
        assert_eq!(bucket.take(TEN_THEN_ONE, 1000), Ok(()));
        assert_eq!(bucket.take(TEN_THEN_ONE, 1000), Err(1000));
    }

    #[test]
    fn an_hour_of_silence_fills_it_no_higher_than_the_burst() {
        let mut bucket = Bucket::default();
        let taken = (0..100).filter(|_| bucket.take(TEN_THEN_ONE, 3_600_000).is_ok()).count();
        assert_eq!(taken, 10);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let mut bucket = Bucket::default();
        for _ in 0..10 {
            bucket.take(TEN_THEN_ONE, 10_000).unwrap();
        }
        assert_eq!(bucket.take(TEN_THEN_ONE, 0), Err(1000));
        assert_eq!(bucket.take(TEN_THEN_ONE, 10_500), Err(500));
    }

    #[test]
    fn zero_lifts_the_limit() {
        let lifted = Rate { burst: 1, per_second: 0.0 };
        let mut bucket = Bucket::default();
        assert!((0..1000).all(|_| bucket.take(lifted, 0).is_ok()));
    }
}
