//! Which number comes next, for a given seed and a given purpose?
//!
//! Each draw names its owner, its purpose and an index (the number of the call). A new draw for one
//! purpose therefore never shifts the numbers that another purpose sees, and a run stays comparable
//! with an older run of the same seed.

#[cfg(test)]
mod tests;

/// What a stream of numbers is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    OutputLength,
    FirstToken,
    TokenGap,
    Fault,
    Text,
    RequestId,
}

/// xoshiro256**, seeded through splitmix64 (Blackman and Vigna, public domain algorithms).
#[derive(Clone, Debug)]
pub struct Rng([u64; 4]);

impl Rng {
    /// The stream of `owner` for `purpose`, at `index`, in the run of `seed`.
    pub fn stream(seed: u64, owner: &str, purpose: Purpose, index: u64) -> Rng {
        let mut mixer = seed;
        let mut key = splitmix(&mut mixer);
        for part in [fingerprint(owner), purpose as u64, index] {
            mixer = key ^ part;
            key = splitmix(&mut mixer);
        }
        Rng(std::array::from_fn(|_| splitmix(&mut mixer)))
    }

    pub fn draw(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A number in `0..bound`, or 0 when `bound` is 0. The bias is below `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(bound)) >> 64) as u64
    }

    /// True in `percent` of a hundred draws.
    pub fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < u64::from(percent)
    }
}

fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// FNV-1a: names are short, and the mixing is splitmix's work.
pub(crate) fn fingerprint(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
