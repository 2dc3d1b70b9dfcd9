//! Does a deployment answer as soon as it usually does? First bytes are compared with those of calls that were as much
//! work; when most of the last ones are late, it is slowed, and is given a share of what it usually has. [CA-12]

use crate::units::{SECOND, Span, Timestamp};

/// Sizes of work that are told apart: each has four times the work of the one before.
const SIZES: usize = 8;
/// Work below this is of the least size.
const LEAST_WORK: u64 = 256;
/// A token written takes about so much more than one that is read.
const WORK_OF_OUTPUT: u64 = 16;
/// So many first bytes of a size are needed before it is known what is usual.
const LEARN: u8 = 8;
/// So many times later than usual is late.
const LATE: u64 = 3;
/// It is slowed when so many of the last sixteen were late, and no longer when so few were: a burst makes some late.
const SLOWED: u32 = 9;
const RECOVERED: u32 = 3;
/// A first byte counts among the last if it came so lately; a long stream tells of its own only at its end.
const FRESH: Span = Span(10 * SECOND);
/// How fast the usual follows, by one first byte in a second: one part in so many, so that what is twice as much becomes
/// usual in three minutes.
const FOLLOWS: u32 = 256;
/// While it is slowed the usual hardly follows, or being slow would soon be usual; in an hour it is.
const FOLLOWS_SLOWED: u32 = 4_096;
/// Ratios are in parts of so many.
const ONE: u64 = 1_024;
/// The largest ratio that is reckoned with.
const MAX_RATIO: u64 = 64 * ONE;

/// When a call's first byte came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FirstByte {
    /// When it was sent.
    pub sent: Timestamp,
    /// How long after that the first byte came.
    pub after: Span,
    /// Tokens read before the first byte.
    pub input: u64,
    /// Tokens written before it: all of them, where the answer came as a whole.
    pub output: u64,
    /// Was it counted as late while it was awaited?
    pub counted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    usual: [Usual; SIZES],
    /// The last sixteen: was each late?
    last: u16,
    /// How late they come of late, as a ratio to what is usual.
    ratio: u64,
    slowed: Option<Timestamp>,
    /// Calls usually in flight, in parts of [`ONE`].
    flow: u64,
    flow_at: Timestamp,
    /// When the usual last followed.
    followed: Timestamp,
    /// The size that was last heard of.
    size: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Usual {
    micros: u32,
    seen: u8,
}

/// A deployment's pace, for those who watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaceView {
    /// The usual time to the first byte, for the size of call that came last; `None` until it is known.
    pub usual: Option<Span>,
    /// The recent one.
    pub recent: Option<Span>,
    /// Since when it is slowed.
    pub slowed: Option<Timestamp>,
    /// Calls at once that it is given while it is slowed.
    pub limit: Option<u32>,
}

impl Pace {
    pub fn new() -> Pace {
        let zero = Timestamp(0);
        let usual = [Usual::default(); SIZES];
        Pace { usual, last: 0, ratio: ONE, slowed: None, flow: 0, flow_at: zero, followed: zero, size: 0 }
    }

    /// Calls at once that it is given, if it is slowed: as many as usual, over how much later they are answered.
    //= rights/capacity.md#CA-12
    pub fn limit(&self) -> Option<u32> {
        self.slowed?;
        u32::try_from(self.flow.div_euclid(self.ratio.max(1)).max(1)).ok()
    }

    /// Recent first bytes in percent of the usual.
    pub fn percent(&self) -> u32 {
        u32::try_from(self.ratio.saturating_mul(100).div_euclid(ONE)).unwrap_or(u32::MAX)
    }

    /// Do first bytes come so many times later than usual, whether or not it is slowed?
    pub fn lags(&self, times: u64) -> bool {
        self.ratio >= ONE.saturating_mul(times)
    }

    /// A call is sent, and so many are in flight with it.
    pub fn sent(&mut self, at: Timestamp, open: u32) {
        if self.slowed.is_some() || at.since(self.flow_at).0 < SECOND {
            return;
        }
        self.flow_at = at;
        let now = u64::from(open).saturating_mul(ONE);
        self.flow = match self.flow {
            0 => now,
            flow => flow.saturating_sub(flow.div_euclid(64)).saturating_add(now.div_euclid(64)),
        };
    }

    /// No first byte has come after so long. True if that counts as late.
    pub fn awaited(&mut self, at: Timestamp, waited: Span, input: u64, counted: bool) -> bool {
        let Some((usual, _)) = self.known(size(input, 0)) else { return false };
        let micros = micros(waited);
        if u64::from(micros) < LATE.saturating_mul(u64::from(usual)) {
            return false;
        }
        self.compare(micros, usual);
        if !counted {
            self.count(at, true);
        }
        true
    }

    /// A first byte came.
    pub fn heard(&mut self, at: Timestamp, byte: &FirstByte) {
        let (size, micros) = (size(byte.input, byte.output), micros(byte.after));
        self.size = size;
        let Some((usual, follows)) = self.known(size) else { return self.learn(size, micros) };
        let step = usual.div_euclid(follows).max(1);
        if let Some(known) = self.usual.get_mut(size).filter(|_| at.since(self.followed).0 >= SECOND) {
            self.followed = at;
            known.micros = match micros.cmp(&usual) {
                core::cmp::Ordering::Less => usual.saturating_sub(step).max(1),
                core::cmp::Ordering::Equal => usual,
                core::cmp::Ordering::Greater => usual.saturating_add(step),
            };
        }
        let fresh = at.since(byte.sent.plus(byte.after)) <= FRESH;
        if fresh || self.slowed.is_some_and(|since| byte.sent >= since) {
            self.compare(micros, usual);
            if !byte.counted {
                self.count(at, u64::from(micros) >= LATE.saturating_mul(u64::from(usual)));
            }
        }
    }

    pub fn view(&self) -> PaceView {
        let known = self.known(self.size).map(|(usual, _)| u64::from(usual));
        let span = |micros: u64| Span(micros.saturating_mul(1_000));
        PaceView {
            usual: known.map(span),
            recent: known.map(|usual| span(usual.saturating_mul(self.ratio).div_euclid(ONE))),
            slowed: self.slowed,
            limit: self.limit(),
        }
    }

    /// What is usual for the size, and how fast that follows.
    fn known(&self, size: usize) -> Option<(u32, u32)> {
        let known = self.usual.get(size).filter(|known| known.seen >= LEARN)?;
        Some((known.micros, if self.slowed.is_some() { FOLLOWS_SLOWED } else { FOLLOWS }))
    }

    fn learn(&mut self, size: usize, micros: u32) {
        let Some(known) = self.usual.get_mut(size) else { return };
        let quarter = |micros: u32| micros.div_euclid(4);
        known.micros = match known.seen {
            0 => micros,
            _ => known.micros.saturating_sub(quarter(known.micros)).saturating_add(quarter(micros)),
        };
        known.micros = known.micros.max(1);
        known.seen = known.seen.saturating_add(1);
    }

    fn compare(&mut self, micros: u32, usual: u32) {
        let ratio = u64::from(micros).saturating_mul(ONE).div_euclid(u64::from(usual.max(1))).min(MAX_RATIO);
        let rest = self.ratio.saturating_sub(self.ratio.div_euclid(4));
        self.ratio = rest.saturating_add(ratio.div_euclid(4)).max(1);
    }

    fn count(&mut self, at: Timestamp, late: bool) {
        self.last = self.last.wrapping_shl(1) | u16::from(late);
        let many = self.last.count_ones();
        match self.slowed {
            None if many >= SLOWED => self.slowed = Some(at),
            Some(_) if many <= RECOVERED => (self.slowed, self.ratio) = (None, ONE),
            _ => {}
        }
    }
}

impl FirstByte {
    /// Of a call that has ended: where the end came at once after the first byte, the answer came as a whole.
    pub fn of_ended(at: Timestamp, sent: Timestamp, after: Span, input: u64, output: u64) -> FirstByte {
        let rest = at.since(sent.plus(after));
        let output = if rest.0 <= after.0.div_euclid(8) { output } else { 0 };
        FirstByte { sent, after, input, output, counted: false }
    }
}

fn micros(span: Span) -> u32 {
    u32::try_from(span.0.div_euclid(1_000)).unwrap_or(u32::MAX).max(1)
}

/// How much work comes before the first byte, by powers of four.
fn size(input: u64, output: u64) -> usize {
    let work = input.saturating_add(output.saturating_mul(WORK_OF_OUTPUT)).div_euclid(LEAST_WORK);
    let size = work.checked_ilog2().map_or(0, |log| log.div_euclid(2).saturating_add(1));
    usize::try_from(size).unwrap_or(SIZES).min(SIZES.saturating_sub(1))
}

#[cfg(test)]
mod tests;
