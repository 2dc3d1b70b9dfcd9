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
fn a_place_that_comes_free_is_no_place_for_who_has_its_own_share_already() {
    run(async {
        let permits =
            Permits::new(&Limits { connections: 3, connections_per_ip: Some(2), ..Limits::default() });
        let own = [permits.take(ip(1)), permits.take(ip(1))];
        let other = permits.take(ip(2));
        assert!(own.iter().all(Option::is_some) && other.is_some() && permits.are_all_taken());
        let begun = tokio::time::Instant::now();
        let (refused, served, ()) = tokio::join!(permits.wait(ip(1)), permits.wait(ip(3)), async {
            tokio::task::yield_now().await;
            drop(other);
        });
        assert!(refused.is_none() && served.is_some());
        assert_eq!(begun.elapsed().as_millis(), WAIT_FOR_PLACE.as_millis());
        assert_eq!(permits.open(), 3);
        drop((own, served));
        assert_eq!(permits.open(), 0);
        assert!(permits.shared.by_ip.as_ref().unwrap().open.lock().unwrap().is_empty());
    });
}
