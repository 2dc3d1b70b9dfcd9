//! In what jurisdiction is `swedencentral`? Regions of the large clouds, as their names are written in endpoints.

/// Azure's regions, longest names first where one begins another. Source: Microsoft's list of Azure regions.
const AZURE: [(&str, &str); 37] = [
    ("eastus2", "us"),
    ("eastus", "us"),
    ("westus3", "us"),
    ("westus2", "us"),
    ("westus", "us"),
    ("northcentralus", "us"),
    ("southcentralus", "us"),
    ("westcentralus", "us"),
    ("centralus", "us"),
    ("canadaeast", "ca"),
    ("canadacentral", "ca"),
    ("brazilsouth", "br"),
    ("mexicocentral", "mx"),
    ("northeurope", "eu"),
    ("westeurope", "eu"),
    ("francecentral", "eu"),
    ("germanywestcentral", "eu"),
    ("italynorth", "eu"),
    ("polandcentral", "eu"),
    ("spaincentral", "eu"),
    ("swedencentral", "eu"),
    ("norwayeast", "no"),
    ("switzerlandnorth", "ch"),
    ("switzerlandwest", "ch"),
    ("uksouth", "uk"),
    ("ukwest", "uk"),
    ("uaenorth", "ae"),
    ("qatarcentral", "qa"),
    ("israelcentral", "il"),
    ("southafricanorth", "za"),
    ("southindia", "in"),
    ("centralindia", "in"),
    ("japaneast", "jp"),
    ("japanwest", "jp"),
    ("koreacentral", "kr"),
    ("southeastasia", "sg"),
    ("australiaeast", "au"),
];

/// Regions of AWS, Google and Oracle that their prefix does not place. Source: the providers' lists of regions.
const NAMED: [(&str, &str); 31] = [
    ("eu-west-2", "uk"),
    ("eu-central-2", "ch"),
    ("europe-west2", "uk"),
    ("europe-west6", "ch"),
    ("uk-", "uk"),
    ("eu-zurich-1", "ch"),
    ("ap-northeast-1", "jp"),
    ("ap-northeast-2", "kr"),
    ("ap-northeast-3", "jp"),
    ("ap-southeast-1", "sg"),
    ("ap-southeast-2", "au"),
    ("ap-southeast-4", "au"),
    ("ap-south-1", "in"),
    ("ap-south-2", "in"),
    ("asia-northeast1", "jp"),
    ("asia-northeast2", "jp"),
    ("asia-northeast3", "kr"),
    ("asia-southeast1", "sg"),
    ("asia-south", "in"),
    ("australia-", "au"),
    ("ap-tokyo-1", "jp"),
    ("ap-osaka-1", "jp"),
    ("ap-sydney-1", "au"),
    ("ap-mumbai-1", "in"),
    ("ca-", "ca"),
    ("northamerica-northeast", "ca"),
    ("sa-east-1", "br"),
    ("sa-saopaulo-1", "br"),
    ("southamerica-east1", "br"),
    ("me-jeddah-1", "sa"),
    ("il-central-1", "il"),
];

/// The jurisdiction of a region's name.
pub fn jurisdiction(region: &str) -> Option<&'static str> {
    let region = region.to_ascii_lowercase();
    let azure = AZURE.iter().find(|(name, _)| *name == region);
    let named =
        NAMED.iter().find(|(name, _)| region == *name || name.ends_with('-') && region.starts_with(name));
    let prefixed = NAMED.iter().find(|(name, _)| region.starts_with(name));
    let broad = [("us-", "us"), ("eu-", "eu"), ("europe-", "eu")];
    let broad = broad.iter().find(|(name, _)| region.starts_with(name));
    azure.or(named).or(prefixed).or(broad).map(|(_, jurisdiction)| *jurisdiction)
}

/// A region of Azure that the name of a resource tells, as many do: `contoso-swedencentral`.
pub fn azure_region(resource: &str) -> Option<(&'static str, &'static str)> {
    let resource: String =
        resource.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    AZURE.iter().copied().find(|(name, _)| resource.contains(name))
}

/// A jurisdiction that a tag or a region's broad name tells: `eu`, `region:eu`, `region-us`.
pub fn tagged(tag: &str) -> Option<&'static str> {
    let tag = tag.to_ascii_lowercase();
    let name = tag.strip_prefix("region").or_else(|| tag.strip_prefix("jurisdiction")).unwrap_or(&tag);
    let name = name.trim_start_matches([':', '-', '_', '=', '/', ' ']);
    let known = ["us", "eu", "uk", "ca", "jp", "au", "in", "ch", "kr", "sg", "br"];
    known.iter().copied().find(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_have_jurisdictions() {
        let places = [
            ("us-east-1", Some("us")),
            ("eu-central-1", Some("eu")),
            ("eu-west-2", Some("uk")),
            ("europe-west4", Some("eu")),
            ("europe-west2", Some("uk")),
            ("us-central1", Some("us")),
            ("swedencentral", Some("eu")),
            ("asia-south1", Some("in")),
            ("ap-northeast-1", Some("jp")),
            ("ca-central-1", Some("ca")),
            ("uk-london-1", Some("uk")),
            ("global", None),
            ("", None),
        ];
        for (region, expected) in places {
            assert_eq!(jurisdiction(region), expected, "{region}");
        }
    }

    #[test]
    fn names_of_resources_may_tell_a_region() {
        assert_eq!(azure_region("contoso-eastus2"), Some(("eastus2", "us")));
        assert_eq!(azure_region("contoso-sweden-central"), Some(("swedencentral", "eu")));
        assert_eq!(azure_region("contoso"), None);
    }

    #[test]
    fn tags_may_tell_a_jurisdiction() {
        assert_eq!(tagged("region:eu"), Some("eu"));
        assert_eq!(tagged("US"), Some("us"));
        assert_eq!(tagged("teamA"), None);
    }
}
