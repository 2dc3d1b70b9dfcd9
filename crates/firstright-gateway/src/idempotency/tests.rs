use firstright_core::world::TenantId;

use super::*;
use crate::held::{Bodies, Held};

fn caller(tenant: u16) -> Principal {
    Principal::fixed("app-1", TenantId(tenant), Vec::new())
}

fn answer(status: StatusCode, body: &'static str) -> Answer {
    let mut answer = Response::new(Reply::whole(body));
    *answer.status_mut() = status;
    answer
}

fn first(answers: &Arc<Answers>, key: &[u8]) -> Claim {
    match answers.claim(&caller(0), key, [1; 32]) {
        Ok(Asked::First(claim)) => claim,
        Ok(Asked::Again(_)) => panic!("it was answered before"),
        Err(no) => panic!("{}", no.code),
    }
}

fn code(answers: &Arc<Answers>, tenant: u16, key: &[u8], request: [u8; 32]) -> &'static str {
    match answers.claim(&caller(tenant), key, request) {
        Ok(Asked::First(_)) => "first",
        Ok(Asked::Again(answer)) => {
            assert_eq!(answer.headers()["x-firstright-replayed"], "true");
            "again"
        }
        Err(no) => no.code,
    }
}

#[test]
fn a_good_answer_is_given_again_to_the_same_request_of_the_same_tenant() {
    let answers = Arc::new(Answers::default());
    let claim = first(&answers, b"k");
    assert_eq!(code(&answers, 0, b"k", [1; 32]), "idempotency_in_flight");
    claim.keep(&answer(StatusCode::OK, "served"));
    assert_eq!(code(&answers, 0, b"k", [1; 32]), "again");
    assert_eq!(code(&answers, 0, b"k", [2; 32]), "idempotency_mismatch");
    assert_eq!(code(&answers, 1, b"k", [1; 32]), "first");
    assert_eq!(code(&answers, 0, &[b'k'; 257], [1; 32]), "bad_header");
}

#[test]
fn failures_and_lost_requests_are_forgotten() {
    let answers = Arc::new(Answers::default());
    first(&answers, b"k").keep(&answer(StatusCode::BAD_GATEWAY, "no"));
    drop(first(&answers, b"k"));
    assert_eq!(code(&answers, 0, b"k", [1; 32]), "first");
    assert!(answers.lock().by_name.is_empty());
}

#[test]
fn what_is_kept_is_bounded() {
    let answers = Arc::new(Answers::default());
    for nth in 0..MAX_KEPT + 10 {
        first(&answers, &nth.to_be_bytes()).keep(&answer(StatusCode::OK, "x"));
    }
    let kept = answers.lock();
    assert_eq!((kept.by_name.len(), kept.order.len(), kept.bytes), (MAX_KEPT, MAX_KEPT, MAX_KEPT));
}

#[test]
fn what_is_kept_does_not_count_as_held_once_it_has_left() {
    let (answers, bodies) = (Arc::new(Answers::default()), Arc::<Bodies>::default());
    let mut held = Held::new(&bodies, usize::MAX);
    assert!(held.take_for_answer(MAX_ANSWER_BYTES));
    let answer: Answer = Response::new(Reply::whole(held.keep(vec![7; MAX_ANSWER_BYTES].into())));
    first(&answers, b"k").keep(&answer);
    assert!(bodies.held() > 0, "it is on its way");
    drop(answer);
    assert_eq!(bodies.held(), 0);
    assert_eq!(code(&answers, 0, b"k", [1; 32]), "again");
}
