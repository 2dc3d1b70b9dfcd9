use std::net::Ipv4Addr;

use super::*;

fn run(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(test);
}

fn ip(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

#[test]
fn a_place_that_comes_free_is_no_place_for_who_has_its_own_share_by_then() {
    run(async {
        let permits =
            Permits::new(&Limits { connections: 3, connections_per_ip: Some(2), ..Limits::default() });
        let (own, others) = (permits.take(ip(1)), [permits.take(ip(2)), permits.take(ip(3))]);
        assert!(own.is_some() && others.iter().all(Option::is_some) && permits.are_all_taken());
        let begun = tokio::time::Instant::now();
        let (first, second, third, ()) =
            tokio::join!(permits.wait(ip(1)), permits.wait(ip(1)), permits.wait(ip(4)), async {
                tokio::task::yield_now().await;
                drop(others);
            });
        assert!(first.is_some() && second.is_none() && third.is_some());
        assert_eq!((begun.elapsed(), permits.open()), (WAIT_FOR_PLACE, 3));
        drop((own, first, third));
        assert_eq!(permits.open(), 0);
        assert!(permits.shared.by_ip.as_ref().unwrap().open.lock().unwrap().is_empty());
    });
}

#[test]
fn nobody_is_closed_for_an_address_that_has_its_share() {
    run(async {
        let permits =
            Permits::new(&Limits { connections: 2, connections_per_ip: Some(1), ..Limits::default() });
        let mut wanted = permits.wanted();
        let _open = [permits.take(ip(1)), permits.take(ip(2))];
        assert!(permits.wait(ip(1)).await.is_none());
        let asked = tokio::time::timeout(WAIT_FOR_PLACE, wanted.by_others()).await;
        assert!(asked.is_err(), "{asked:?}");
        let (none, asked) = tokio::join!(permits.wait(ip(3)), wanted.by_others());
        assert!(none.is_none() && asked == 1);
    });
}
