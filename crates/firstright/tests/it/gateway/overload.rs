//! What becomes of calls when five times as many come as can be served, and what is left of it when they are gone?
//!
//! Callers of four classes come on schedule (`open_loop`), over real sockets, to a gateway in front of a cloud of known
//! capacity: half of it, then a little more than it, then five times it, then half of it again. What the clients saw is
//! laid beside the journal, which knows who waited. A longer and larger run, on a machine with nothing else to do:
//! `FIRSTRIGHT_OVERLOAD_S=60 FIRSTRIGHT_OVERLOAD_PLACES=200 cargo test --release -p firstright --test it overload -- --nocapture`

use std::collections::BTreeMap;
use std::time::Duration;

use firstright_core::decision::Action;
use firstright_core::fact::Fact;
use firstright_core::units::{Span, Timestamp};
use firstright_core::workload::CallId;
use firstright_sim::cloud::{CapacitySpec, Quantiles, SlotsSpec, Spec};

use crate::open_loop::{Seen, Shot, calls, fire, percentile};
use crate::world::{Book, World, ask_stream, key_entry};

/// Who comes: first those that are shed last.
const TENANTS: [&str; 4] = ["board", "app", "crawler", "nightly"];
const CLASSES: [&str; 4] = ["critical", "standard", "sheddable", "batch"];
/// What each brings in each phase, in hundredths of what can be served.
const PHASES: [(&str, [u64; 4]); 4] = [
    ("half of what can be served", [10, 15, 15, 10]),
    ("a little more than it", [20, 40, 30, 30]),
    ("five times it", [20, 50, 130, 300]),
    ("half of it again", [10, 15, 15, 10]),
];
const OVER: usize = 2;
const AFTER: usize = 3;

/// A call takes so long at the cloud: a tenth of a second to its first token, and ten more of ten milliseconds.
const FIRST_TOKEN: Duration = Duration::from_millis(100);
const TAKES: Duration = Duration::from_millis(200);
const TOKENS: &str = "x-sandbox-tokens: 10,11\r\n";
/// As many as are served at once may wait four times over.
const WAITING: u64 = 4;

/// How large the run is.
struct Size {
    /// Calls that are served at once.
    places: u64,
    /// How long the overload lasts.
    lasts: Duration,
}

impl Size {
    /// Small enough for a machine that does other things too, unless the environment says otherwise.
    fn asked() -> Size {
        let number = |name: &str, usual| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
        let lasts = Duration::from_secs(number("FIRSTRIGHT_OVERLOAD_S", 3));
        Size { places: number("FIRSTRIGHT_OVERLOAD_PLACES", 12), lasts }
    }

    /// Calls a second that can be served.
    fn capacity(&self) -> u64 {
        self.places * 1_000 / TAKES.as_millis() as u64
    }

    /// When each phase begins, and the end.
    fn bounds(&self) -> [Duration; 5] {
        let (quiet, full) = (self.lasts * 3 / 4, self.lasts / 2);
        let mut at = Duration::ZERO;
        [Duration::ZERO, quiet, full, self.lasts, self.lasts].map(|long| {
            at += long;
            at
        })
    }

    fn shots(&self) -> Vec<Shot> {
        let bounds = self.bounds();
        let mut shots = Vec::new();
        for (phase, (_, shares)) in PHASES.iter().enumerate() {
            for (tenant, share) in TENANTS.iter().zip(shares) {
                let rate = (self.capacity() * share / 100).max(1);
                shots.extend(calls(tenant, rate, bounds[phase], bounds[phase + 1], phase as u64));
            }
        }
        shots
    }

    /// One cloud serves them, and nobody else may.
    fn world(&self) -> World {
        let tenants: String = TENANTS
            .iter()
            .zip(CLASSES)
            .map(|(id, class)| {
                format!("[[tenant]]\nid = \"{id}\"\nmax-wait = \"2s\"\nclass = \"{class}\"\n\n")
            })
            .collect();
        let keys: String = TENANTS.iter().map(|id| key_entry(id, id, "")).collect();
        let place = "id = \"oracle-gpt-4o\"\nmodel = \"gpt-4o\"\ncapacity = { concurrent = ";
        let spec = |spec: &mut Spec| {
            let oracle = spec.clouds.iter_mut().find(|cloud| cloud.name == "oracle").unwrap();
            let always = |value| Quantiles { p1: value, p50: value, p90: value, p99: value };
            for one in &mut oracle.deployments {
                // The cloud counts a call until it has written its last byte, and we until we have read it.
                let slots = SlotsSpec { concurrent: self.places, refuse_with: 429, retry_after_ms: 1_000 };
                one.capacity = CapacitySpec::Slots(slots);
                one.first_token_ms = always(FIRST_TOKEN.as_millis() as u64);
                one.token_gap_us = always(10_000);
            }
        };
        World::with(
            &[
                (
                    "currency = \"USD\"",
                    &format!("currency = \"USD\"\nlimits = {{ waiting = {} }}", self.places * WAITING),
                ),
                (&format!("{place}256 }}"), &format!("{place}{} }}", self.places)),
                ("[[tenant]]\nid = \"patient\"", &format!("{tenants}[[tenant]]\nid = \"patient\"")),
                (
                    "tenants = [\"patient\"]",
                    &format!("tenants = [\"patient\", \"{}\"]", TENANTS.join("\", \"")),
                ),
            ],
            &keys,
            spec,
        )
    }
}

/// What the journal knows of one call.
#[derive(Debug)]
struct Story {
    tenant: usize,
    arrived: Timestamp,
    /// When it was served or refused, after no wait or after one.
    decided: Timestamp,
    served: bool,
    waited: bool,
    ended: Option<Timestamp>,
}

impl Story {
    fn wait(&self) -> Duration {
        Duration::from_nanos(self.decided.since(self.arrived).0)
    }
}

fn stories(book: &Book) -> BTreeMap<CallId, Story> {
    let world = book.world();
    let mut all: BTreeMap<CallId, Story> = BTreeMap::new();
    for record in &book.records {
        match &record.fact {
            Fact::CallArrived(call) => {
                let name = &world.tenant(call.tenant).id;
                let tenant = TENANTS.iter().position(|one| one == name).unwrap();
                let (arrived, decided) = (record.at, record.at);
                let story = Story { tenant, arrived, decided, served: false, waited: false, ended: None };
                all.insert(call.id, story);
            }
            Fact::CallSettled { call, .. } => all.get_mut(call).unwrap().ended = Some(record.at),
            _ => {}
        }
        for decision in &record.decisions {
            let (call, served) = match decision.action {
                Action::Serve { call, .. } => (call, true),
                Action::Refuse { call, .. } => (call, false),
                Action::Queue { call, .. } => {
                    all.get_mut(&call).unwrap().waited = true;
                    continue;
                }
                _ => continue,
            };
            let story = all.get_mut(&call).unwrap();
            story.decided = record.at;
            story.served = served;
        }
    }
    all
}

/// What one class saw in one phase.
struct Part<'a> {
    seen: Vec<&'a Seen>,
    stories: Vec<&'a Story>,
}

impl Part<'_> {
    fn served(&self) -> usize {
        self.seen.iter().filter(|seen| seen.status == Some(200) && seen.whole).count()
    }

    fn percent(&self) -> usize {
        self.served() * 100 / self.seen.len().max(1)
    }

    fn first_byte(&self, percent: usize) -> Duration {
        let served = self.seen.iter().filter(|seen| seen.status == Some(200));
        percentile(served.map(|seen| seen.first_byte), percent)
    }

    fn whole(&self, percent: usize) -> Duration {
        let served = self.seen.iter().filter(|seen| seen.status == Some(200));
        percentile(served.map(|seen| seen.end), percent)
    }

    fn wait(&self, percent: usize) -> Duration {
        percentile(self.stories.iter().filter(|story| story.served).map(|story| story.wait()), percent)
    }
}

/// All that is known of a run.
struct Run {
    size: Size,
    /// The journal's time of the run's start.
    begun: Timestamp,
    seen: Vec<Seen>,
    stories: BTreeMap<CallId, Story>,
    /// Of each record that refused calls, those.
    refusals: BTreeMap<u64, Vec<CallId>>,
    /// Requests that the cloud was sent, and attempts that failed.
    asked: u64,
    failed: usize,
}

impl Run {
    fn make() -> Run {
        let size = Size::asked();
        let world = size.world();
        let begun = world.plane.engine.read(|_, now| now);
        let body = ask_stream("gpt-4o", true).to_string();
        let seen = fire(world.plane.address(), size.shots(), TOKENS, &body);
        let asked = world.cloud("oracle").counters().requests;
        let book = world.stop();
        let mut refusals: BTreeMap<u64, Vec<CallId>> = BTreeMap::new();
        let mut failed = 0;
        for record in &book.records {
            failed += usize::from(matches!(record.fact, Fact::AttemptFailed { .. }));
            for decision in &record.decisions {
                if let Action::Refuse { call, .. } = decision.action {
                    refusals.entry(record.seq).or_default().push(call);
                }
            }
        }
        Run { size, begun, seen, stories: stories(&book), refusals, asked, failed }
    }

    fn instant(&self, at: Duration) -> Timestamp {
        self.begun.plus(Span(at.as_nanos() as u64))
    }

    fn part(&self, phase: usize, tenant: usize) -> Part<'_> {
        let bounds = self.size.bounds();
        let (from, until) = (bounds[phase], bounds[phase + 1]);
        let seen = self.seen.iter().filter(|seen| seen.tenant == TENANTS[tenant]);
        let seen = seen.filter(|seen| (from..until).contains(&seen.at)).collect();
        let arrived = self.instant(from)..self.instant(until);
        let stories = self.stories.values().filter(|story| story.tenant == tenant);
        let stories = stories.filter(|story| arrived.contains(&story.arrived)).collect();
        Part { seen, stories }
    }

    /// Calls a second whose answers ended between two times of the run.
    fn goodput(&self, from: Duration, until: Duration) -> f64 {
        let ended = self.instant(from)..self.instant(until);
        let ends = self.stories.values().filter_map(|story| story.ended);
        ends.filter(|end| ended.contains(end)).count() as f64 / (until - from).as_secs_f64()
    }

    /// How long a refusal that was decided on arrival took to be heard.
    fn refused_at_once(&self) -> Vec<Duration> {
        let at_once = |seen: &&Seen| match self.refusals.get(&seen.decision).map(Vec::as_slice) {
            Some([call]) => !self.stories[call].waited,
            _ => false,
        };
        self.seen.iter().filter(at_once).map(|seen| seen.first_byte).collect()
    }

    /// How long after the overload a call was last refused, or waited for longer than a call takes.
    fn back_to_base(&self) -> Duration {
        let over = self.instant(self.size.bounds()[AFTER]);
        let ill = |story: &&Story| !story.served || story.wait() > TAKES / 4;
        let last = self.stories.values().filter(ill).map(|story| story.arrived.max(story.decided)).max();
        Duration::from_nanos(last.map_or(0, |last| last.since(over).0))
    }

    fn print(&self) {
        println!("{} calls a second can be served", self.size.capacity());
        for (phase, (name, _)) in PHASES.iter().enumerate() {
            let bounds = self.size.bounds();
            println!("{name}: {:.1} served a second", self.goodput(bounds[phase], bounds[phase + 1]));
            for (tenant, class) in CLASSES.iter().enumerate() {
                let part = self.part(phase, tenant);
                let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
                for seen in part.seen.iter().filter(|seen| seen.status != Some(200)) {
                    *codes.entry(seen.code.as_str()).or_default() += 1;
                }
                println!(
                    "  {class:9} offered {:5}, served {:5} ({:3} %), refused {codes:?}, wait {:.0?} {:.0?}, first byte {:.0?} {:.0?}, last {:.0?} {:.0?}",
                    part.seen.len(),
                    part.served(),
                    part.percent(),
                    part.wait(50),
                    part.wait(99),
                    part.first_byte(50),
                    part.first_byte(99),
                    part.whole(50),
                    part.whole(99),
                );
            }
        }
        println!("{} requests to the cloud, {} of which failed", self.asked, self.failed);
        let at_once = self.refused_at_once();
        let told = self.seen.iter().filter_map(|seen| seen.retry_after_ms);
        println!(
            "{} refusals on arrival, heard after {:.1?} at the median, {:.1?} at p99; told to come back in {:?} to {:?} ms; back to base {:.1?} after the overload",
            at_once.len(),
            percentile(at_once.iter().copied(), 50),
            percentile(at_once.iter().copied(), 99),
            told.clone().min(),
            told.max(),
            self.back_to_base(),
        );
    }
}

#[test]
fn five_times_what_can_be_served_is_shed_by_class_and_leaves_nothing_behind() {
    let run = Run::make();
    run.print();
    let bounds = run.size.bounds();
    let part = |phase, class| run.part(phase, class);
    // Everybody was answered, and whoever was refused was told honestly when to come again.
    for seen in &run.seen {
        assert!(seen.status.is_some() && seen.whole, "{seen:?}");
        if seen.status != Some(200) {
            assert_eq!((seen.status, seen.code.as_str()), (Some(429), "capacity_exhausted"), "{seen:?}");
            assert!(seen.should_retry && seen.retry_after_ms >= Some(1_000), "{seen:?}");
        }
    }
    for (class, name) in CLASSES.iter().enumerate() {
        assert_eq!(part(0, class).percent(), 100, "nobody is refused while there is room: {name}");
    }
    // Batch calls starve first, and critical ones last, if at all.
    let [critical, standard, sheddable, batch] = std::array::from_fn(|class| part(OVER, class).percent());
    assert!(critical >= 98 && standard >= 90, "{critical} {standard}");
    assert!(standard > sheddable && sheddable > batch && batch <= 5, "{standard} {sheddable} {batch}");
    // The bar is that a critical call takes twice its own time at most, on a machine that does nothing else; a sheddable one
    // waits as long as it may.
    let (waits, waited) = (part(OVER, 0).wait(99), part(OVER, 2).wait(50));
    assert!(waits <= TAKES * 3 && waits < waited, "{waits:?} {waited:?}");
    // The bar is nine tenths; a machine that does other things too holds this.
    let (goodput, capacity) = (run.goodput(bounds[OVER], bounds[AFTER]), run.size.capacity());
    assert!(goodput >= capacity as f64 * 0.8, "{goodput:.1} of {capacity}");
    let at_once = run.refused_at_once();
    assert!(at_once.len() * 2 > part(OVER, 3).seen.len(), "most batch calls need not wait for their refusal");
    // The bar is before they could have been served.
    assert!(percentile(at_once, 50) < TAKES * 3, "and hear it soon");
    // The load is gone: within ten seconds nothing of it is left.
    assert!(run.back_to_base() < Duration::from_secs(10), "{:?}", run.back_to_base());
    for (class, name) in CLASSES.iter().enumerate() {
        assert!(part(AFTER, class).percent() >= 90, "{name}");
    }
    // Nothing was sent that was not served, but for what the cloud and we count apart.
    let served = run.seen.iter().filter(|seen| seen.status == Some(200)).count() as u64;
    assert!(run.asked * 100 <= served * 110, "{} requests for {served} calls", run.asked);
}
