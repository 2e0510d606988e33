//! Numbers that look random and are the same for the same seed.

/// SplitMix64: enough to choose by, and no secret.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another sequence of the same seed: what one part draws doesn't move another's numbers.
    pub fn part(seed: u64, part: u64) -> Self {
        let mut random = Self::new(seed ^ part.wrapping_mul(0xD1B5_4A32_D192_ED03));
        random.next();
        random
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `low` to below `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low).max(1)
    }

    /// From 0 to below 1.
    pub fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True in `share` of the cases.
    pub fn chance(&mut self, share: f64) -> bool {
        self.fraction() < share
    }

    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.between(0, all.len() as u64) as usize)
    }
}

/// A seed from the clock, for whoever gives none.
pub fn seed() -> u64 {
    u64::from(crate::fanout::run_number())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_and_parts_differ() {
        let draw = |mut random: Random| [random.next(), random.next()];
        assert_eq!(draw(Random::part(7, 1)), draw(Random::part(7, 1)));
        assert_ne!(draw(Random::part(7, 1)), draw(Random::part(7, 2)));
        let mut random = Random::new(1);
        assert!((0..1000).all(|_| (3..5).contains(&random.between(3, 5))));
        assert!((0..1000).all(|_| (0.0..1.0).contains(&random.fraction())));
    }
}
