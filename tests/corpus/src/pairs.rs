//! Random pairs, the same in every run.

/// An id and its secret.
#[derive(Debug, Clone)]
pub struct Pair {
    pub id: String,
    pub secret: String,
}

/// A generator of random numbers (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next_u64() % bound as u64) as usize
    }

    pub fn word(&mut self, length: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..length)
            .map(|_| char::from(LETTERS[self.below(LETTERS.len())]))
            .collect()
    }

    /// Most ids are of the kind that is given out now, some of the older ones.
    pub fn pair(&mut self) -> Pair {
        let id = match self.below(10) {
            0 => format!("LTAI{}", self.word(12)),
            1 => format!("LTAI4{}", self.word(19)),
            _ => format!("LTAI5t{}", self.word(18)),
        };
        Pair {
            id,
            secret: self.word(30),
        }
    }
}
