use super::*;

fn world(factor: u64) -> World {
    let sources: Vec<(String, String)> =
        STARGATE.iter().map(|(name, text)| (name.to_string(), enlarge(text, factor))).collect();
    let (world, problems) = firstright_core::text::read(&sources);
    world.unwrap_or_else(|| panic!("{problems:?}"))
}

#[test]
fn every_capacity_is_enlarged_and_nothing_else() {
    let (one, ten) = (world(1), world(10));
    for (small, large) in one.deployments.iter().zip(&ten.deployments) {
        let same = match (small.capacity, large.capacity) {
            (
                CapacityKind::Provisioned { per_minute: a, .. },
                CapacityKind::Provisioned { per_minute: b, .. },
            ) => a * 10 == b,
            (
                CapacityKind::PayAsYouGo { tokens: a, requests: c, slice: e },
                CapacityKind::PayAsYouGo { tokens: b, requests: d, slice: f },
            ) => (a == b || a * 10 == b) && c * 10 == d && e == f,
            (CapacityKind::Concurrent { limit: a }, CapacityKind::Concurrent { limit: b }) => a * 10 == b,
            _ => false,
        };
        assert!(same, "{}: {:?} and {:?}", small.id, small.capacity, large.capacity);
        assert_eq!(small.rates, large.rates);
    }
    assert_eq!(one.clauses, ten.clauses);
}

#[test]
fn the_clouds_follow_from_the_law() {
    let world = world(3);
    let spec = clouds(&world).unwrap();
    let served: std::collections::BTreeSet<u16> =
        world.deployments.iter().map(|one| one.provider.0).collect();
    assert_eq!(spec.clouds.len(), served.len());
}
