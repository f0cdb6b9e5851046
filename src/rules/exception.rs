//! An exception from a restriction: which operations the leaked AccessKey may call nevertheless, from which networks,
//! and until when.
//!
//! It is narrow on purpose, because only the network keeps a thief of the key from using it: operations are listed one
//! by one, networks are small, and after [`MAX_DURATION`] it must be requested again. It applies to the AccessKey
//! itself, never to its sessions.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::operation::{Catalogue, Operation, Product};

/// The longest time that an exception may last.
pub const MAX_DURATION: Duration = Duration::hours(72);

/// The most operations that one may name.
pub const MAX_OPERATIONS: usize = 20;

/// The most networks that one may name.
pub const MAX_NETWORKS: usize = 16;

/// The shortest prefix of an IPv4 network, in bits.
const MIN_PREFIX_V4: u8 = 16;

/// The shortest prefix of an IPv6 network, in bits.
const MIN_PREFIX_V6: u8 = 32;

/// The first IPv6 address that stands for an IPv4 address.
const MAPPED_ADDRESSES: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0);

/// An operation by its product and action, whatever the version: `RAM:CreateUser`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamedOperation {
    product: Product,
    action: Box<str>,
}

/// The calls that an exception allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionScope {
    /// These operations.
    pub operations: Vec<NamedOperation>,
    /// Called from these networks.
    pub networks: Vec<IpNet>,
}

/// A scope with its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// The allowed calls.
    pub scope: ExceptionScope,
    /// When the exception ends.
    pub expires_at: OffsetDateTime,
}

/// Why an exception is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeFault {
    /// A text that names no operation.
    #[error("`{0}` must be PRODUCT:Action, for example RAM:CreateAccessKey")]
    NotNamed(String),
    /// A product of the catalogue has no such action.
    #[error("{0} is not in the catalogue of operations; check it with `akgate policy check`")]
    Unlisted(NamedOperation),
    /// The number is zero or too large.
    #[error("an exception must have 1 to {MAX_OPERATIONS} operations; this has {0}")]
    Operations(usize),
    /// The number is zero or too large.
    #[error("an exception must have 1 to {MAX_NETWORKS} networks; this has {0}")]
    Networks(usize),
    /// The network is so large that a thief of the key may be in it too.
    #[error(
        "{0} is too wide: use the owner's own networks, at most a /{MIN_PREFIX_V4} (IPv6: /{MIN_PREFIX_V6})"
    )]
    TooWide(IpNet),
    /// The networks together are as large.
    #[error(
        "the networks cover too much together: at most as many addresses as a /{MIN_PREFIX_V4} (IPv6: /{MIN_PREFIX_V6}), \
         those of other active exceptions of the same restriction included"
    )]
    TooWideTogether,
}

/// A network as it is compared with the address of a caller: an IPv4 network that is written as IPv6 (`::ffff:0:0/96`,
/// RFC 4291, 2.5.5.2) is an IPv4 network.
#[must_use]
pub fn canonical_network(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(network) => network
            .prefix_len()
            .checked_sub(96)
            .zip(network.addr().to_ipv4_mapped())
            .and_then(|(prefix, address)| Ipv4Net::new(address, prefix).ok()),
        IpNet::V4(_) => None,
    };
    mapped.map_or(network, IpNet::V4).trunc()
}

/// Checks that networks are narrow enough, each and together.
///
/// # Errors
/// [`ScopeFault::TooWide`], [`ScopeFault::TooWideTogether`].
pub fn check_networks(networks: &[IpNet]) -> Result<(), ScopeFault> {
    let canonical: Vec<IpNet> = networks.iter().copied().map(canonical_network).collect();
    let is_wide = |network: &IpNet| match network {
        IpNet::V4(network) => network.prefix_len() < MIN_PREFIX_V4,
        IpNet::V6(network) => {
            network.prefix_len() < MIN_PREFIX_V6 || network.contains(&MAPPED_ADDRESSES)
        }
    };
    if let Some((wide, _)) = networks
        .iter()
        .zip(&canonical)
        .find(|(_, one)| is_wide(one))
    {
        return Err(ScopeFault::TooWide(*wide));
    }
    // What is left after merging does not overlap, so the sizes add up: of IPv4 in addresses, of IPv6 in networks of 96
    // bits, of which the smallest network counts as one.
    let (mut v4, mut v6) = (0_u64, 0_u128);
    for network in IpNet::aggregate(&canonical) {
        match network {
            IpNet::V4(network) => v4 += 1 << (32 - u32::from(network.prefix_len())),
            IpNet::V6(network) => v6 += 1 << 96_u32.saturating_sub(network.prefix_len().into()),
        }
    }
    let most = (
        1 << (32 - u32::from(MIN_PREFIX_V4)),
        1 << (96 - u32::from(MIN_PREFIX_V6)),
    );
    if v4 > most.0 || v6 > most.1 {
        return Err(ScopeFault::TooWideTogether);
    }
    Ok(())
}

impl Exception {
    /// Whether the exception allows this call from this address now.
    #[must_use]
    pub fn covers(&self, operation: &Operation, source: IpAddr, now: OffsetDateTime) -> bool {
        let source = source.to_canonical();
        let named = |named: &NamedOperation| {
            named.product == *operation.product() && *named.action == *operation.action()
        };
        now < self.expires_at
            && self.scope.operations.iter().any(named)
            && self
                .scope
                .networks
                .iter()
                .any(|one| canonical_network(*one).contains(&source))
    }
}

impl ExceptionScope {
    /// Checks that the scope is narrow enough and names existing operations.
    ///
    /// # Errors
    /// [`ScopeFault`].
    pub fn check(&self, catalogue: &Catalogue) -> Result<(), ScopeFault> {
        let (operations, networks) = (self.operations.len(), self.networks.len());
        if !(1..=MAX_OPERATIONS).contains(&operations) {
            return Err(ScopeFault::Operations(operations));
        }
        if !(1..=MAX_NETWORKS).contains(&networks) {
            return Err(ScopeFault::Networks(networks));
        }
        if let Some(unlisted) = self.operations.iter().find(|one| !one.is_listed(catalogue)) {
            return Err(ScopeFault::Unlisted(unlisted.clone()));
        }
        check_networks(&self.networks)
    }
}

impl NamedOperation {
    fn is_listed(&self, catalogue: &Catalogue) -> bool {
        match catalogue.version_of(&self.product) {
            None => true,
            Some(version) => catalogue
                .operation(version, &self.action)
                .is_some_and(|operation| operation.effect().is_known()),
        }
    }
}

impl fmt::Display for NamedOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.product, self.action)
    }
}

impl FromStr for NamedOperation {
    type Err = ScopeFault;

    fn from_str(text: &str) -> Result<Self, ScopeFault> {
        let wrong = || ScopeFault::NotNamed(text.to_owned());
        let (product, action) = text.split_once(':').ok_or_else(wrong)?;
        let is_name = |part: &str| {
            let of_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            (1..=64).contains(&part.len()) && part.chars().all(of_name)
        };
        if !is_name(product) || !is_name(action) {
            return Err(wrong());
        }
        Ok(Self {
            product: Product::from_code(product),
            action: action.into(),
        })
    }
}

impl TryFrom<String> for NamedOperation {
    type Error = ScopeFault;

    fn try_from(text: String) -> Result<Self, ScopeFault> {
        text.parse()
    }
}

impl From<NamedOperation> for String {
    fn from(named: NamedOperation) -> Self {
        named.to_string()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2024-04-18 09:00 +8);

    fn scope(operations: &[&str], networks: &[&str]) -> ExceptionScope {
        ExceptionScope {
            operations: operations.iter().map(|one| one.parse().unwrap()).collect(),
            networks: networks.iter().map(|one| one.parse().unwrap()).collect(),
        }
    }

    fn check(operations: &[&str], networks: &[&str]) -> Result<(), ScopeFault> {
        scope(operations, networks).check(&Catalogue::built_in().unwrap())
    }

    #[test]
    fn exception_covers_its_operations_from_its_networks_until_its_end_alone() {
        let catalogue = Catalogue::built_in().unwrap();
        let exception = Exception {
            scope: scope(&["ram:CreateUser"], &["192.0.2.0/24", "2001:db8::/32"]),
            expires_at: NOW,
        };
        let earlier = NOW - Duration::nanoseconds(1);
        let (ram, ims) = ("2015-05-01", "2019-08-15");
        for (version, action, from, now, expected) in [
            (ram, "CreateUser", "192.0.2.7", earlier, true),
            (ram, "CreateUser", "::ffff:192.0.2.7", earlier, true),
            (ram, "CreateUser", "2001:db8::7", earlier, true),
            (ram, "CreateUser", "192.0.2.7", NOW, false),
            (ram, "CreateUser", "192.0.3.7", earlier, false),
            (ram, "CreateUser", "::ffff:192.0.3.7", earlier, false),
            (ram, "createuser", "192.0.2.7", earlier, false),
            (ram, "CreateAccessKey", "192.0.2.7", earlier, false),
            (ims, "CreateUser", "192.0.2.7", earlier, false),
        ] {
            let operation = catalogue.operation(version, action).unwrap();
            let covers = exception.covers(&operation, from.parse().unwrap(), now);
            assert_eq!(covers, expected, "{version} {action} {from}");
        }
    }

    #[test]
    fn exception_accepts_known_operations_and_narrow_networks_alone() {
        assert_eq!(check(&["RAM:CreateUser"], &["10.1.0.0/16"]), Ok(()));
        assert_eq!(check(&["Ecs:RunInstances"], &["10.1.2.3/32"]), Ok(()));
        let unlisted = "IMS:createUser".parse().unwrap();
        let fault = check(&["IMS:createUser"], &["10.1.0.0/16"]);
        assert_eq!(fault, Err(ScopeFault::Unlisted(unlisted)));
        for wide in ["0.0.0.0/0", "10.0.0.0/8", "::/0", "::ffff:0:0/31"] {
            let fault = check(&["RAM:CreateUser"], &["10.1.0.0/16", wide]);
            assert_eq!(fault, Err(ScopeFault::TooWide(wide.parse().unwrap())));
        }
        assert_eq!(check(&[], &["10.1.0.0/16"]), Err(ScopeFault::Operations(0)));
        assert_eq!(
            check(&["RAM:GetUser"; 21], &[]),
            Err(ScopeFault::Operations(21))
        );
        assert_eq!(check(&["RAM:GetUser"], &[]), Err(ScopeFault::Networks(0)));
    }

    #[test]
    fn exception_is_measured_by_what_its_networks_cover_together() {
        let nets = |texts: &[&str]| -> Vec<IpNet> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let together = Err(ScopeFault::TooWideTogether);
        for (networks, expected) in [
            (&["10.1.0.0/16"][..], Ok(())),
            (&["10.1.0.0/17", "10.1.128.0/17"], Ok(())),
            (
                &["10.1.0.0/17", "192.0.2.0/24", "10.1.0.0/16"],
                together.clone(),
            ),
            (&["10.1.0.0/16", "10.2.0.0/16"], together.clone()),
            (&["10.1.0.0/16", "10.2.0.1/32"], together.clone()),
            (&["10.1.0.0/16", "10.1.2.0/24", "10.1.0.0/16"], Ok(())),
            (&["10.1.0.0/16", "::ffff:10.1.0.0/112"], Ok(())),
            (&["10.1.0.0/16", "::ffff:10.2.0.0/112"], together.clone()),
            (&["10.1.0.0/16", "2001:db8::/32"], Ok(())),
            (&["2001:db8::/32", "2001:db9::1/128"], together.clone()),
            (&["2001:db8::/33", "2001:db8:8000::/33"], Ok(())),
        ] {
            assert_eq!(check_networks(&nets(networks)), expected, "{networks:?}");
        }
        for wide in [
            "::ffff:10.0.0.0/104",
            "::ffff:0:0/95",
            "::/40",
            "::ffff:0:0/96",
        ] {
            let wide = nets(&[wide]);
            assert_eq!(check_networks(&wide), Err(ScopeFault::TooWide(wide[0])));
        }
        let mapped = Exception {
            scope: scope(&["RAM:GetUser"], &["::ffff:192.0.2.0/120"]),
            expires_at: NOW + Duration::HOUR,
        };
        let operation = Catalogue::built_in().unwrap();
        let operation = operation.operation("2015-05-01", "GetUser").unwrap();
        let covers = |ip: &str| mapped.covers(&operation, ip.parse().unwrap(), NOW);
        assert!(covers("192.0.2.7") && covers("::ffff:192.0.2.7") && !covers("192.0.3.7"));
    }

    #[test]
    fn operation_name_survives_writing_and_reading() {
        for (text, written) in [("ram:GetUser", "RAM:GetUser"), ("Ecs:X", "Ecs:X")] {
            assert_eq!(text.parse::<NamedOperation>().unwrap().to_string(), written);
        }
        for wrong in [
            "", "GetUser", "RAM:", ":GetUser", "RAM:Get*", "RAM:*", "RAM:a b",
        ] {
            assert!(wrong.parse::<NamedOperation>().is_err(), "{wrong}");
        }
    }
}
