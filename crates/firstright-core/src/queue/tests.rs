use alloc::vec::Vec;

use super::*;
use crate::units::SECOND;
use crate::world::ModelId;

const PLACE: DeploymentId = DeploymentId(0);

fn at(seconds: u64) -> Timestamp {
    Timestamp(seconds * SECOND)
}

/// Calls `(tenant, class, need, weight)` arrive one after the other and wait.
fn queue(calls: &[(u16, Class, u64, u32)]) -> Queue {
    let mut queue = Queue::default();
    // Somebody waits already, so that turns count.
    let line = queue.draw(Class::Critical, TenantId(99), 1, 1);
    queue.insert(line, waiting(CallId(0), 1));
    for (nth, (tenant, class, need, weight)) in (1..).zip(calls) {
        let line = queue.draw(*class, TenantId(*tenant), *need, *weight);
        queue.insert(line, waiting(CallId(nth), *need));
    }
    queue.remove(CallId(0), true);
    queue
}

fn waiting(call: CallId, need: u64) -> Waiting {
    let (since, until, patience, again) = (at(0), at(10), at(0), at(1));
    let (tenant, model, plain, awaits) = (TenantId(1), ModelId(0), true, Some(PLACE));
    Waiting { call, tenant, model, plain, need, since, until, patience, awaits, again }
}

fn order(queue: &Queue) -> Vec<u64> {
    queue.iter().map(|(_, waiting)| waiting.call.0).collect()
}

#[test]
fn the_higher_class_comes_first() {
    let queue = queue(&[(1, Class::Batch, 10, 1), (2, Class::Critical, 10, 1), (3, Class::Standard, 10, 1)]);
    assert_eq!(order(&queue), [2, 3, 1]);
    assert_eq!(queue.last().map(|(_, last)| last.call), Some(CallId(1)));
}

#[test]
fn a_tenant_that_brings_much_makes_itself_wait() {
    let one = (1, Class::Standard, 100, 1);
    let queue = queue(&[one, one, one, one, (2, Class::Standard, 100, 1), (2, Class::Standard, 100, 1)]);
    assert_eq!(order(&queue), [1, 5, 2, 6, 3, 4]);
}

#[test]
fn a_weight_of_two_has_two_turns() {
    let (one, two) = ((1, Class::Standard, 100, 1), (2, Class::Standard, 100, 2));
    let queue = queue(&[one, one, one, two, two, two, two]);
    assert_eq!(order(&queue), [1, 4, 5, 2, 6, 7, 3]);
}

#[test]
fn who_comes_later_does_not_come_behind_all_that_came_before() {
    let one = (1, Class::Standard, 100, 1);
    let mut queue = queue(&[one; 6]);
    for call in 1..=4 {
        queue.remove(CallId(call), true);
    }
    let line = queue.draw(Class::Standard, TenantId(2), 100, 1);
    queue.insert(line, waiting(CallId(7), 100));
    assert_eq!(order(&queue), [7, 5, 6], "it does not make up for what it did not ask for before");
}

#[test]
fn what_comes_free_is_kept_for_who_has_waited_half_its_time() {
    let mut queue = queue(&[(1, Class::Standard, 100, 1)]);
    let line = queue.draw(Class::Standard, TenantId(2), 5, 1);
    let ahead = |second| queue.ahead(at(second), Some(line), PLACE);
    assert_eq!((ahead(4).tokens, ahead(4).calls, ahead(4).kept), (100, 1, 0));
    assert_eq!(ahead(5).kept, 100);
    assert_eq!(queue.ahead(at(5), None, PLACE).kept, 0, "who came before the first waited");
    let first = queue.draw(Class::Critical, TenantId(3), 5, 1);
    assert_eq!(queue.ahead(at(5), Some(first), PLACE).kept, 0, "nothing is kept from a higher class");
}

#[test]
fn it_is_counted_where_it_waits() {
    let mut queue = queue(&[(1, Class::Standard, 100, 1), (2, Class::Batch, 50, 1)]);
    assert_eq!(queue.waiting_for(PLACE), 2);
    queue.awaits(CallId(1), Some(DeploymentId(7)), at(3));
    assert_eq!((queue.waiting_for(PLACE), queue.waiting_for(DeploymentId(7))), (1, 1));
    queue.remove(CallId(2), false);
    assert_eq!(queue.waiting_for(PLACE), 0);
    let standard = queue.views()[1];
    assert_eq!((standard.waiting, standard.tokens, standard.tenants), (1, 100, 1));
}
