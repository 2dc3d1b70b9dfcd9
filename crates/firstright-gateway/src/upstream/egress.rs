//! Which of the addresses that a name leads to may be dialled?
//!
//! A provider's name is the configuration's, but what it leads to is the resolver's: an answer that is private, of this
//! machine or of a metadata service could turn a provider's key, or a prompt, over to something inside. So a name leads to
//! public addresses only, unless configuration says that it is private; an address that stands in the configuration itself
//! is what it says. Those of metadata services are dialled for keys and tokens alone, and for no call, whatever the
//! configuration says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How far in a target's name may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// To the public internet.
    Public,
    /// To private networks too: configuration says that the host may be private.
    Private,
    /// Wherever metadata services are too: what is asked for is a key or a token.
    Metadata,
}

/// The addresses that may be dialled, of those that a host's name led to.
pub(super) fn allowed(host: &str, reach: Reach, found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let may = |address: &SocketAddr| match reach {
        Reach::Public => is_public(address.ip()) || is_named(host, address.ip()),
        Reach::Private => !is_of_platform(plain(address.ip())),
        Reach::Metadata => true,
    };
    found.into_iter().filter(may).collect()
}

/// Does the host itself say that address? `localhost` is this machine by RFC 6761.
fn is_named(host: &str, address: IpAddr) -> bool {
    if host.eq_ignore_ascii_case("localhost") {
        return address.is_loopback();
    }
    host.parse::<IpAddr>().is_ok_and(|literal| literal == address) && !is_of_platform(plain(address))
}

/// Is it an address of the public internet, as far as the registries of special-purpose addresses (RFC 6890 and its
/// updates) go?
pub(super) fn is_public(address: IpAddr) -> bool {
    match plain(address) {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// An IPv4 address within an IPv6 one is what it is.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    let parts = six.segments();
    let tail = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // Mapped, and translated by NAT64.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => tail(high, low),
        // 6to4.
        [0x2002, high, low, ..] => tail(high, low),
        _ => address,
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_unspecified()
        || address.is_loopback()
        || address.is_private()
        || address.is_documentation()
        || address.is_multicast()
        || is_of_platform(IpAddr::V4(address))
        || a == 0
        // Carriers' own, the protocols' own, benchmarks, and what is reserved.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // What is public today is within 2000::/3, less Teredo and what is for documents.
    (0x2000..0x4000).contains(&first)
        && !(first == 0x2001 && (second < 0x200 || second == 0xdb8))
        && !(first == 0x3fff && second < 0x1000)
}

/// Where the platforms' own services are, of Azure's, AWS's, Google's and Oracle's machines: link-local, but for Azure's wire
/// server, which has an address like a public one, and for those in IPv6 of AWS, Google and Oracle.
fn is_of_platform(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local() || address.octets() == [168, 63, 129, 16],
        IpAddr::V6(address) => {
            let [first, second, rest @ ..] = address.segments();
            address.is_unicast_link_local()
                || (first, second) == (0xfd00, 0x0ec2)
                || (first, second) == (0xfd20, 0x00ce) && rest == [0, 0, 0, 0, 0, 0x0254]
                || (first, second) == (0xfd00, 0x00c1) && rest == [0, 0, 0, 0, 0xa9fe, 0xa9fe]
        }
    }
}

#[cfg(test)]
mod tests;
