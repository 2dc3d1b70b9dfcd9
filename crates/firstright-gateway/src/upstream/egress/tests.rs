use super::*;

fn socket(address: &str) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), 443)
}

#[test]
fn what_is_public() {
    let public = [
        "1.1.1.1",
        "20.42.0.1",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "198.20.0.1",
        "223.255.255.255",
        "2603:1030::1",
        "2a00:1450:4001::1",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
    ];
    let not = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.8.8.8",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fd00:ec2::254",
        "fc00::1",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "3fff::1",
        "4000::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:a00:1::1",
    ];
    for address in public {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
    for address in not {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn a_name_leads_to_public_addresses_only() {
    // A resolver that mixes a private address in, so that one of two tries goes inside.
    let mixed = || vec![socket("20.42.0.1"), socket("10.0.0.7"), socket("169.254.169.254"), socket("::1")];
    assert_eq!(allowed("x.openai.azure.com", Reach::Public, mixed()), [socket("20.42.0.1")]);
    let private = [socket("20.42.0.1"), socket("10.0.0.7"), socket("::1")];
    assert_eq!(allowed("x.openai.azure.com", Reach::Private, mixed()), private);
    assert_eq!(allowed("x.openai.azure.com", Reach::Metadata, mixed()), mixed());
    // What the configuration itself says is meant, but for metadata services.
    for (host, address, may) in [
        ("10.0.0.7", "10.0.0.7", true),
        ("127.0.0.1", "127.0.0.1", true),
        ("::1", "::1", true),
        ("10.0.0.8", "10.0.0.7", false),
        ("169.254.169.254", "169.254.169.254", false),
        ("::ffff:169.254.169.254", "::ffff:169.254.169.254", false),
        ("fd00:ec2::254", "fd00:ec2::254", false),
        ("localhost", "127.0.0.1", true),
        ("LOCALHOST", "::1", true),
        ("localhost", "10.0.0.7", false),
        // An address that only the resolver takes for one.
        ("0x7f000001", "127.0.0.1", false),
        ("vllm.internal", "10.0.0.7", false),
    ] {
        assert_eq!(
            allowed(host, Reach::Public, vec![socket(address)]).len(),
            usize::from(may),
            "{host} {address}"
        );
    }
}

/// Where keys and tokens of the machine come from, no call goes, not even one that may go to private addresses.
#[test]
fn metadata_services_are_for_keys_alone() {
    for address in [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fe80::1",
        "::ffff:169.254.169.254",
        "168.63.129.16",
        "fd20:ce::254",
        "fd00:c1::a9fe:a9fe",
    ] {
        for (reach, may) in [(Reach::Public, 0), (Reach::Private, 0), (Reach::Metadata, 1)] {
            assert_eq!(allowed(address, reach, vec![socket(address)]).len(), may, "{address} {reach:?}");
            assert_eq!(
                allowed("rebound.example", reach, vec![socket(address)]).len(),
                may,
                "{address} {reach:?}"
            );
        }
    }
}
