use tokio::net::TcpListener;

use super::*;

/// By RFC 6761 no resolver has an address for this.
const NOBODY: &str = "provider.invalid";

/// With a paused clock: time passes only while everything waits.
fn run(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(test);
}

#[test]
fn a_name_leads_where_it_led_while_the_resolver_is_away() {
    run(async {
        let budget = Duration::from_secs(5);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::plain(NOBODY, 80).unwrap();
        let error = dial(&target, budget).await.unwrap_err();
        assert_eq!((error.kind, error.sent), (SendErrorKind::Resolve, false));
        target.remember(&[listener.local_addr().unwrap()]);
        assert!(dial(&target, budget).await.is_ok());
        // For an hour, and not for the same authority that may be private, which may lead elsewhere.
        assert!(target.allow_private().remembered().is_none());
        tokio::time::advance(Duration::from_secs(3_601)).await;
        assert_eq!(dial(&target, budget).await.unwrap_err().kind, SendErrorKind::Resolve);
    });
}

#[test]
fn what_a_name_led_to_is_remembered() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = Target::plain("127.0.0.1", address.port()).unwrap();
        assert!(target.remembered().is_none());
        assert!(dial(&target, Duration::from_secs(5)).await.is_ok());
        assert_eq!(target.remembered(), Some(vec![address]));
    });
}
