//! How is a revenue share written? As a base with a share or tiers, or as several such legs.

use alloc::format;
use alloc::vec::Vec;

use crate::clause::{Base, Clause, Combine, Leg, RevenueShare, Tier};
use crate::text::value::Per;
use crate::text::walk::{Fields, Reader, Value};
use crate::text::{clauses, scopes};
use crate::units::Rounding;
use crate::world::World;

pub(super) fn revenue_share(f: &mut Fields<'_>, r: &mut Reader<'_>, world: &World) -> Clause {
    let (payer, payee) = clauses::two_parties(f, r, world, ["payer", "payee"]);
    let combines = [("sum", Combine::Sum), ("higher", Combine::Higher), ("lower", Combine::Lower)];
    let roundings = [("half-even", Rounding::HalfEven), ("down", Rounding::Down), ("up", Rounding::Up)];
    let several = f.opt(r, "legs", legs);
    let combine = f.opt(r, "combine", |v, r| v.word(r, &combines));
    let own = ["base", "share", "tiers"].iter().any(|key| f.has(key));
    let legs = match several {
        Some(legs) => {
            // What belongs to a leg is known here too, so that the one message says what is wrong.
            let _ = (f.value("base"), f.value("share"), f.value("tiers"));
            if own {
                let help = "put `base` with `share` or `tiers` into the legs";
                r.error_help(&f.spot().at, "one-of", "a share has legs, or a base of its own", help);
            }
            legs
        }
        None => {
            if !f.has("legs") && combine.is_some() {
                let message = "`combine` combines legs, and there are none";
                r.error(f.spot().key("combine"), "needless-key", message);
            }
            Vec::from_iter(if f.has("legs") { None } else { leg(f, r) })
        }
    };
    let clause = RevenueShare {
        payer,
        payee,
        scope: scopes::scope(f, r, world),
        legs,
        combine: combine.unwrap_or_default(),
        floor: f.opt(r, "floor", |v, r| v.money(r, Per::Sum)),
        cap: f.opt(r, "cap", |v, r| v.money(r, Per::Sum)),
        period: clauses::period(f, r),
        rounding: f.opt(r, "rounding", |v, r| v.word(r, &roundings)).unwrap_or_default(),
    };
    if let (Some(floor), Some(cap)) = (clause.floor, clause.cap)
        && floor > cap
    {
        r.error(f.spot().key("cap"), "out-of-range", format!("the cap {cap} is below the floor {floor}"));
    }
    Clause::RevenueShare(clause)
}

fn legs(value: &Value<'_>, r: &mut Reader<'_>) -> Option<Vec<Leg>> {
    let mut legs = Vec::new();
    for value in value.list(r)? {
        let Some(mut f) = value.fields(r, "a leg") else { continue };
        legs.extend(leg(&mut f, r));
        f.finish(r);
    }
    if value.data.as_array().is_some_and(|list| list.is_empty()) {
        r.error(&value.at, "empty-list", "a share without legs owes nothing");
    }
    Some(legs)
}

fn leg(f: &mut Fields<'_>, r: &mut Reader<'_>) -> Option<Leg> {
    let bases = [("gross", Base::Gross), ("net", Base::Net), ("spend", Base::Spend)];
    let base = f.need(r, "base", |v, r| v.word(r, &bases));
    let share = f.opt(r, "share", |v, r| v.share(r));
    let tiers = f.opt(r, "tiers", tiers);
    if f.has("share") == f.has("tiers") {
        let help = "write `share = \"20 %\"` for one rate, `tiers` for several";
        r.error_help(&f.at, "one-of", "a base has either a share or tiers", help);
        return None;
    }
    let tiers = tiers.or_else(|| share.map(|share| Vec::from([Tier { up_to: None, share }])));
    Some(Leg { base: base?, tiers: tiers? })
}

fn tiers(value: &Value<'_>, r: &mut Reader<'_>) -> Option<Vec<Tier>> {
    let list = value.list(r)?;
    let mut tiers: Vec<Tier> = Vec::new();
    for (place, value) in list.iter().enumerate() {
        let last = place.saturating_add(1) == list.len();
        let Some(mut f) = value.fields(r, "a tier") else { continue };
        let up_to = f.opt(r, "up-to", |v, r| v.money(r, Per::Sum));
        let share = f.need(r, "share", |v, r| v.share(r));
        let ended = f.has("up-to");
        f.finish(r);
        if ended == last {
            let help = "every tier but the last has an `up-to`; end with one such as `{ share = \"15 %\" }`";
            let message = if last { "the last tier has an end" } else { "a tier before the last has no end" };
            r.error_help(&value.at, "tiers-not-rising", message, help);
        }
        let below = tiers.last().and_then(|tier| tier.up_to);
        if let (Some(below), Some(up_to)) = (below, up_to)
            && up_to <= below
        {
            r.error(&value.at, "tiers-not-rising", format!("`up-to` {up_to} does not rise above {below}"));
        }
        tiers.extend(share.map(|share| Tier { up_to, share }));
    }
    if list.is_empty() {
        r.error(&value.at, "empty-list", "tiers without a tier owe nothing");
    }
    Some(tiers)
}
