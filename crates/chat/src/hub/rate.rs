//! Token buckets. Time is an argument.

/// How much somebody may do at once and a second.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Allowed at once.
    pub burst: u32,
    /// Allowed a second afterwards; 0: no limit.
    pub per_second: f64,
}

/// One user's bucket for one rate. Starts full.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    tokens: f64,
    filled_at: u64,
}

impl Bucket {
    /// A full bucket at `now` (ms).
    pub fn full(rate: Rate, now: u64) -> Self {
        Self { tokens: f64::from(rate.burst), filled_at: now }
    }

    /// Takes one token at `now` (ms).
    ///
    /// # Errors
    /// The ms until there is one; nothing was taken.
    pub fn take(&mut self, rate: Rate, now: u64) -> Result<(), u64> {
        if rate.per_second == 0.0 {
            return Ok(());
        }
        let elapsed = now.saturating_sub(self.filled_at) as f64 / 1000.0;
        self.tokens = (self.tokens + elapsed * rate.per_second).min(f64::from(rate.burst));
        self.filled_at = self.filled_at.max(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(((1.0 - self.tokens) / rate.per_second * 1000.0).ceil() as u64)
    }

    /// Whether it is as full at `now` (ms) as a new one.
    pub fn is_full(&self, rate: Rate, now: u64) -> bool {
        let elapsed = now.saturating_sub(self.filled_at) as f64 / 1000.0;
        self.tokens + elapsed * rate.per_second >= f64::from(rate.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_THEN_ONE: Rate = Rate { burst: 10, per_second: 1.0 };

    #[test]
    fn ten_at_once_then_one_a_second() {
        let mut bucket = Bucket::full(TEN_THEN_ONE, 0);
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
        let mut bucket = Bucket::full(TEN_THEN_ONE, 0);
        let taken = (0..100).filter(|_| bucket.take(TEN_THEN_ONE, 3_600_000).is_ok()).count();
        assert_eq!(taken, 10);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let mut bucket = Bucket::full(TEN_THEN_ONE, 10_000);
        for _ in 0..10 {
            bucket.take(TEN_THEN_ONE, 10_000).unwrap();
        }
        assert_eq!(bucket.take(TEN_THEN_ONE, 0), Err(1000));
        assert_eq!(bucket.take(TEN_THEN_ONE, 10_500), Err(500));
    }

    #[test]
    fn zero_lifts_the_limit() {
        let lifted = Rate { burst: 1, per_second: 0.0 };
        let mut bucket = Bucket::full(lifted, 0);
        assert!((0..1000).all(|_| bucket.take(lifted, 0).is_ok()));
    }
}
