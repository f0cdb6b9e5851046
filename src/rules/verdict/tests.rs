use std::time::Duration;

use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::fault::Fault;
use crate::operation::Catalogue;
use crate::position::{BootInstant, History, Position};

const NOW: OffsetDateTime = datetime!(2024-04-18 09:00 +8);
const ID: Uuid = Uuid::from_u128(7);
const RESTRICTED: Standing = Standing::Restricted(ID);
const REFUSED: Verdict = Verdict::Refuse(Refusal::RestrictedKey(ID));
const UNKNOWN: Verdict = Verdict::Refuse(Refusal::StandingUnknown);

const ENFORCE: Policy = Policy {
    mode: Mode::Enforce,
    enforce_from: None,
    self_remedy: false,
    refuses_unleased_reads: false,
};

const BASIS: DecisionBasis = DecisionBasis {
    position: Position {
        history: History(Uuid::from_u128(1)),
        revision: 10,
    },
    since: BootInstant(Duration::from_secs(100)),
    is_leased: true,
};

struct World {
    catalogue: Catalogue,
    strict: Blocklist,
}

impl World {
    fn new() -> Self {
        Self {
            catalogue: Catalogue::built_in().unwrap(),
            strict: Blocklist::strict().unwrap(),
        }
    }

    fn operation(&self, product: &str, version: &str, action: &str) -> Operation {
        self.catalogue
            .operation(version, action)
            .unwrap_or_else(|| self.catalogue.foreign(product, version, action).unwrap())
    }

    /// Every listed operation, one unknown of each product, and others' listed and unlisted.
    fn operations(&self) -> Vec<Operation> {
        let unknown = ["2015-05-01", "2019-08-15", "2015-04-01", "2020-03-31"]
            .map(|version| self.catalogue.operation(version, "NoSuchAction").unwrap());
        let foreign = ["RunInstances", "DescribeInstances"]
            .map(|action| self.operation("Ecs", "2014-05-26", action));
        self.catalogue
            .operations()
            .chain(unknown)
            .chain(foreign)
            .collect()
    }

    fn decide(&self, operation: &Operation, lineage: &[Standing], profile: Profile) -> Verdict {
        self.decide_by(operation, lineage, profile, ENFORCE, false)
    }

    fn decide_by(
        &self,
        operation: &Operation,
        lineage: &[Standing],
        profile: Profile,
        policy: Policy,
        remedies_itself: bool,
    ) -> Verdict {
        let facts = DecisionFacts {
            operation,
            lineage,
            profile,
            policy,
            remedies_itself,
            is_excepted: false,
            now: NOW,
            basis: BASIS,
        };
        decide_call(&self.strict, &facts)
    }
}

fn allowed(operation: &Operation, grounds: Grounds) -> Verdict {
    Verdict::Allow(Permit {
        effect: operation.effect(),
        grounds,
        basis: BASIS,
    })
}

#[test]
fn widened_restriction_adds_only_sensitive_reads() {
    let world = World::new();
    for operation in world.operations() {
        for profile in Profile::ALL {
            let decided = |standing| {
                let verdict = world.decide(&operation, &[Standing::Clear, standing], profile);
                matches!(verdict, Verdict::Refuse(_))
            };
            let (before, after) = (decided(RESTRICTED), decided(Standing::Widened(ID)));
            assert_eq!(
                after,
                before || operation.is_sensitive(),
                "{} {profile}",
                operation.action()
            );
        }
    }
    let list = world.operation("", "2015-05-01", "ListUsers");
    let widened = world.decide(&list, &[Standing::Widened(ID)], Profile::Mutations);
    assert_eq!(widened, REFUSED);
}

/// The table of the module's documentation, a second time and by single operations.
#[test]
fn verdict_matches_every_cell_of_the_table() {
    let world = World::new();
    let (ram, ims, sts, rm) = ("2015-05-01", "2019-08-15", "2015-04-01", "2020-03-31");
    for (version, action, effect, mutations, strict) in [
        (ram, "ListUsers", "Read", true, false),
        (ims, "ListUsers", "Read", true, false),
        (sts, "GetCallerIdentity", "Read", true, true),
        (rm, "ListAccounts", "Read", true, true),
        (ims, "GetAppSecret", "Disclose", false, false),
        (ram, "CreateUser", "Mutate(Identity)", false, false),
        (ims, "CreateUser", "Mutate(Identity)", false, false),
        (rm, "CreateRole", "Mutate(Identity)", false, false),
        (ram, "CreateAccessKey", "Mutate(Credential)", false, false),
        (ims, "CreateAccessKey", "Mutate(Credential)", false, false),
        (
            sts,
            "GetSessionAccessKey",
            "Mutate(Credential)",
            false,
            false,
        ),
        (rm, "ChangeAccountEmail", "Mutate(Credential)", false, false),
        (
            ram,
            "AttachPolicyToUser",
            "Mutate(Permission)",
            false,
            false,
        ),
        (ims, "AddUserToGroup", "Mutate(Permission)", false, false),
        (rm, "AttachPolicy", "Mutate(Permission)", false, false),
        (
            ims,
            "GenerateCredentialReport",
            "Mutate(Other)",
            true,
            false,
        ),
        (rm, "CreateFolder", "Mutate(Other)", true, true),
        (sts, "AssumeRole", "MintSession", true, true),
        (ram, "NoSuchAction", "Unknown", false, false),
        (ims, "NoSuchAction", "Unknown", false, false),
        (sts, "NoSuchAction", "Unknown", false, false),
        (rm, "NoSuchAction", "Unknown", false, false),
        ("2014-05-26", "RunInstances", "Uncatalogued", true, false),
        (
            "2014-05-26",
            "DescribeInstances",
            "Uncatalogued",
            true,
            true,
        ),
    ] {
        let operation = world.operation("Ecs", version, action);
        assert_eq!(operation.effect().as_str(), effect, "{version} {action}");
        for (profile, pass) in [(Profile::Mutations, mutations), (Profile::Strict, strict)] {
            let wanted = if pass {
                allowed(&operation, Grounds::Harmless(ID))
            } else {
                REFUSED
            };
            let verdict = world.decide(&operation, &[RESTRICTED], profile);
            assert_eq!(verdict, wanted, "{version} {action} {profile}");
        }
    }
}

#[test]
fn restricted_key_is_judged_by_effect_over_the_whole_catalogue() {
    let world = World::new();
    for operation in world.operations() {
        let harmless = ["Read", "Mutate(Other)", "MintSession", "Uncatalogued"];
        let by_effect = !harmless.contains(&operation.effect().as_str());
        let whole = ["RAM", "IMS"].contains(&operation.product().code());
        let listed = operation.action() == "RunInstances";
        for (profile, refused) in [
            (Profile::Mutations, by_effect),
            (Profile::Strict, by_effect || whole || listed),
        ] {
            let verdict = world.decide(&operation, &[RESTRICTED], profile);
            assert_eq!(verdict == REFUSED, refused, "{operation:?} {profile}");
        }
    }
}

#[test]
fn clear_key_passes_every_operation_in_every_mode() {
    let world = World::new();
    for operation in world.operations() {
        for profile in Profile::ALL {
            for mode in Mode::ALL {
                let policy = Policy { mode, ..ENFORCE };
                let lineage = [Standing::Clear; 3];
                let verdict = world.decide_by(&operation, &lineage, profile, policy, false);
                let grounds = match mode {
                    Mode::Enforce | Mode::Shadow => Grounds::Clear,
                    Mode::Off => Grounds::Off,
                };
                assert_eq!(verdict, allowed(&operation, grounds));
            }
        }
    }
}

#[test]
fn key_of_unknown_state_passes_nothing() {
    let world = World::new();
    for operation in world.operations() {
        for profile in Profile::ALL {
            for lineage in [
                &[][..],
                &[Standing::Unknown],
                &[Standing::Clear, Standing::Unknown],
            ] {
                assert_eq!(world.decide(&operation, lineage, profile), UNKNOWN);
            }
        }
    }
}

#[test]
fn session_is_judged_by_its_worst_ancestor() {
    let world = World::new();
    let create = world.operation("", "2015-05-01", "CreateUser");
    let list = world.operation("", "2015-05-01", "ListUsers");
    let (clear, unknown) = (Standing::Clear, Standing::Unknown);
    for lineage in [
        [clear, clear, RESTRICTED],
        [RESTRICTED, clear, clear],
        [clear, RESTRICTED, unknown],
        [unknown, clear, RESTRICTED],
    ] {
        let verdict = world.decide(&create, &lineage, Profile::Mutations);
        assert_eq!(verdict, REFUSED);
        let wanted = if lineage.contains(&unknown) {
            UNKNOWN
        } else {
            allowed(&list, Grounds::Harmless(ID))
        };
        assert_eq!(world.decide(&list, &lineage, Profile::Mutations), wanted);
    }
}

#[test]
fn refused_sensitive_read_names_the_widened_restriction() {
    let world = World::new();
    let list = world.operation("", "2015-05-01", "ListUsers");
    let widened = Standing::Widened(Uuid::from_u128(8));
    for lineage in [[RESTRICTED, widened], [widened, RESTRICTED]] {
        let verdict = world.decide(&list, &lineage, Profile::Mutations);
        let refusal = Refusal::RestrictedKey(Uuid::from_u128(8));
        assert_eq!(verdict, Verdict::Refuse(refusal));
    }
}

#[test]
fn exception_passes_what_a_known_restriction_refuses() {
    let world = World::new();
    let create = world.operation("", "2015-05-01", "CreateUser");
    for profile in Profile::ALL {
        let decide = |lineage: &[Standing]| {
            let facts = DecisionFacts {
                operation: &create,
                lineage,
                profile,
                policy: ENFORCE,
                remedies_itself: false,
                is_excepted: true,
                now: NOW,
                basis: BASIS,
            };
            super::decide_call(&world.strict, &facts)
        };
        assert_eq!(
            decide(&[RESTRICTED]),
            allowed(&create, Grounds::Excepted(ID))
        );
        assert_eq!(decide(&[Standing::Clear]), allowed(&create, Grounds::Clear));
        assert_eq!(decide(&[RESTRICTED, Standing::Unknown]), UNKNOWN);
        assert_eq!(decide(&[]), UNKNOWN);
    }
}

#[test]
fn key_disables_itself_only_if_the_account_allows_it() {
    let world = World::new();
    let update = world.operation("", "2015-05-01", "UpdateAccessKey");
    for profile in Profile::ALL {
        for (self_remedy, remedies_itself) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let policy = Policy {
                self_remedy,
                ..ENFORCE
            };
            let decide = |lineage: &[Standing]| {
                world.decide_by(&update, lineage, profile, policy, remedies_itself)
            };
            let wanted = if self_remedy && remedies_itself {
                allowed(&update, Grounds::SelfRemedy(ID))
            } else {
                REFUSED
            };
            assert_eq!(decide(&[RESTRICTED]), wanted);
            assert_eq!(decide(&[Standing::Unknown]), UNKNOWN);
            assert_eq!(decide(&[Standing::Clear]), allowed(&update, Grounds::Clear));
        }
    }
}

#[test]
fn refusal_is_withheld_in_shadow_and_until_the_announced_instant() {
    let world = World::new();
    let create = world.operation("", "2015-05-01", "CreateUser");
    let second = time::Duration::SECOND;
    let restricted = allowed(&create, Grounds::Withheld(Refusal::RestrictedKey(ID)));
    let unknown = allowed(&create, Grounds::Withheld(Refusal::StandingUnknown));
    for (mode, enforce_from, withheld) in [
        (Mode::Enforce, None, false),
        (Mode::Enforce, Some(NOW - second), false),
        (Mode::Enforce, Some(NOW), false),
        // The same instant, written with another offset.
        (Mode::Enforce, Some(datetime!(2024-04-18 01:00 UTC)), false),
        (Mode::Enforce, Some(NOW + second), true),
        (Mode::Shadow, None, true),
        (Mode::Shadow, Some(NOW - second), true),
        (Mode::Shadow, Some(NOW + second), true),
    ] {
        let policy = Policy {
            mode,
            enforce_from,
            self_remedy: false,
            refuses_unleased_reads: false,
        };
        let decide =
            |standing| world.decide_by(&create, &[standing], Profile::Strict, policy, false);
        let wanted = if withheld {
            (&restricted, &unknown)
        } else {
            (&REFUSED, &UNKNOWN)
        };
        assert_eq!(&decide(RESTRICTED), wanted.0, "{policy:?}");
        assert_eq!(&decide(Standing::Unknown), wanted.1, "{policy:?}");
        assert_eq!(decide(Standing::Clear), allowed(&create, Grounds::Clear));
    }
}

#[test]
fn policy_that_is_off_refuses_nothing() {
    let world = World::new();
    let create = world.operation("", "2015-05-01", "CreateUser");
    for enforce_from in [None, Some(NOW - time::Duration::HOUR)] {
        let policy = Policy {
            mode: Mode::Off,
            enforce_from,
            self_remedy: true,
            refuses_unleased_reads: false,
        };
        for standing in [Standing::Clear, RESTRICTED, Standing::Unknown] {
            let verdict = world.decide_by(&create, &[standing], Profile::Strict, policy, true);
            assert_eq!(verdict, allowed(&create, Grounds::Off));
        }
    }
}

#[test]
fn permit_records_the_withheld_refusal() {
    let refusal = Refusal::StandingUnknown;
    for (grounds, withheld) in [
        (Grounds::Clear, None),
        (Grounds::Harmless(ID), None),
        (Grounds::SelfRemedy(ID), None),
        (Grounds::Excepted(ID), None),
        (Grounds::Off, None),
        (Grounds::Anonymous, None),
        (Grounds::Withheld(refusal), Some(refusal)),
    ] {
        let effect = Effect::Read;
        let permit = Permit {
            effect,
            grounds,
            basis: BASIS,
        };
        assert_eq!(permit.withheld(), withheld);
        assert_eq!((permit.effect(), permit.grounds()), (effect, grounds));
    }
}

#[test]
fn refusal_matches_the_wire_contract() {
    let said = |refusal: Refusal| {
        let fault = Fault::from(refusal);
        (fault.status().as_u16(), fault.code(), fault.message())
    };
    assert_eq!(
        said(Refusal::RestrictedKey(ID)),
        (
            403,
            "Forbidden".into(),
            "There is a risk of leakage of this AccessKey.".into()
        )
    );
    assert_eq!(
        said(Refusal::StandingUnknown),
        (
            503,
            "ServiceUnavailable".into(),
            "The request has failed due to a temporary failure of the server.".into()
        )
    );
}

#[test]
fn only_federated_calls_are_permitted_without_a_key() {
    let world = World::new();
    for operation in world.operations() {
        let federated = ["AssumeRoleWithSAML", "AssumeRoleWithOIDC"].contains(&operation.action());
        assert_eq!(permit_anonymous(&operation, BASIS).is_some(), federated);
    }
}

fn any_standing() -> impl Strategy<Value = Standing> {
    prop_oneof![
        Just(Standing::Clear),
        Just(RESTRICTED),
        Just(Standing::Unknown)
    ]
}

/// A listed action, or any text at all where an action should be.
fn any_action() -> impl Strategy<Value = (&'static str, String)> {
    let world = World::new();
    let listed: Vec<String> = world
        .operations()
        .iter()
        .map(|operation| operation.action().to_owned())
        .collect();
    let versions =
        prop::sample::select(vec!["2015-05-01", "2019-08-15", "2015-04-01", "2020-03-31"]);
    (versions, prop_oneof![prop::sample::select(listed), ".*"])
}

proptest! {
    #[test]
    fn restricted_key_is_refused_mutations_secrets_and_unknown_operations(
        (version, action) in any_action(),
        mut lineage in prop::collection::vec(any_standing(), 0..4),
        at in 0_usize..4,
        profile in prop::sample::select(Profile::ALL.to_vec()),
        self_remedy in any::<bool>(),
        since in prop::option::of(0_i64..1_000_000),
    ) {
        lineage.insert(at.min(lineage.len()), RESTRICTED);
        let world = World::new();
        let operation = world.operation("", version, &action);
        let policy = Policy {
            mode: Mode::Enforce,
            enforce_from: since.map(|seconds| NOW - time::Duration::seconds(seconds)),
            self_remedy,
            refuses_unleased_reads: false,
        };
        let verdict = world.decide_by(&operation, &lineage, profile, policy, false);
        match operation.effect() {
            Effect::Mutate(MutationKind::Identity | MutationKind::Credential | MutationKind::Permission)
            | Effect::Disclose
            | Effect::Unknown => prop_assert_eq!(verdict, REFUSED),
            Effect::Read
            | Effect::Mutate(MutationKind::Other)
            | Effect::MintSession
            | Effect::Uncatalogued => {}
        }
    }

    #[test]
    fn clear_key_is_never_refused_by_policy(
        (version, action) in any_action(),
        ancestors in 1_usize..5,
        profile in prop::sample::select(Profile::ALL.to_vec()),
        mode in prop::sample::select(Mode::ALL.to_vec()),
        offset in prop::option::of(-1_000_000_i64..1_000_000),
        (self_remedy, remedies_itself) in any::<(bool, bool)>(),
    ) {
        let world = World::new();
        let operation = world.operation("", version, &action);
        let policy = Policy {
            mode,
            enforce_from: offset.map(|seconds| NOW + time::Duration::seconds(seconds)),
            self_remedy,
            refuses_unleased_reads: false,
        };
        let lineage = vec![Standing::Clear; ancestors];
        let verdict = world.decide_by(&operation, &lineage, profile, policy, remedies_itself);
        let Verdict::Allow(permit) = verdict else {
            return Err(TestCaseError::fail("refused"));
        };
        prop_assert_eq!(permit.withheld(), None);
    }

    #[test]
    fn strict_profile_refuses_whatever_the_mutations_profile_refuses(
        (version, action) in any_action(),
        lineage in prop::collection::vec(any_standing(), 0..4),
    ) {
        let world = World::new();
        let operation = world.operation("", version, &action);
        let refused = |profile| {
            matches!(world.decide(&operation, &lineage, profile), Verdict::Refuse(_))
        };
        prop_assert!(!refused(Profile::Mutations) || refused(Profile::Strict));
    }
}

/// Every cell of (effect, profile, sensitive, restricted, refusing) without a lease.
#[test]
fn node_without_a_lease_refuses_only_reads_that_a_change_could_refuse() {
    let world = World::new();
    for operation in world.operations() {
        for profile in Profile::ALL {
            for standing in [Standing::Clear, RESTRICTED] {
                for refuses_unleased_reads in [false, true] {
                    let leased = |is_leased| {
                        let facts = DecisionFacts {
                            operation: &operation,
                            lineage: &[standing],
                            profile,
                            policy: Policy {
                                refuses_unleased_reads,
                                ..ENFORCE
                            },
                            remedies_itself: false,
                            is_excepted: false,
                            now: NOW,
                            basis: DecisionBasis { is_leased, ..BASIS },
                        };
                        matches!(decide_call(&world.strict, &facts), Verdict::Allow(_))
                    };
                    let is_read = operation.effect() == Effect::Read;
                    let could_be_refused = refuses_unleased_reads
                        || profile == Profile::Strict && world.strict.lists(&operation)
                        || standing == RESTRICTED && operation.is_sensitive();
                    let wanted = leased(true) && !(is_read && could_be_refused);
                    assert_eq!(leased(false), wanted, "{} {profile}", operation.action());
                }
            }
        }
    }
}

fn permit(operation: &Operation) -> Permit {
    Permit {
        effect: operation.effect(),
        grounds: Grounds::Clear,
        basis: BASIS,
    }
}

#[test]
fn permit_rejects_an_intent_that_is_newer_or_of_another_history() {
    let create = World::new().operation("", "2015-05-01", "CreateUser");
    let at = |revision| BASIS.position.at(revision);
    assert!(permit(&create).bind_to_intent(at(10)).is_ok());
    assert!(permit(&create).bind_to_intent(at(9)).is_ok());
    let newer = permit(&create).bind_to_intent(at(11));
    assert_eq!(newer, Err(OutdatedDecision { required: at(11) }));
    for revision in [9, 10, 11] {
        let other = Position {
            history: History(Uuid::from_u128(2)),
            revision,
        };
        let joined = permit(&create).bind_to_intent(other);
        assert_eq!(joined, Err(OutdatedDecision { required: other }));
    }
}

#[test]
fn only_a_read_needs_no_intent() {
    let world = World::new();
    for operation in world.operations() {
        let is_cleared = permit(&operation).clear_read().is_ok();
        assert_eq!(is_cleared, operation.effect() == Effect::Read);
    }
}

#[test]
fn clearance_expires_five_seconds_after_its_basis_was_read() {
    let list = World::new().operation("", "2015-05-01", "ListUsers");
    let spent = |after| {
        let clearance = permit(&list).clear_read().unwrap();
        clearance.spend(BASIS.since.after(after))
    };
    let until = BASIS.since.after(PERMIT_LIFETIME);
    assert_eq!(spent(Duration::ZERO), Ok(until));
    assert_eq!(spent(PERMIT_LIFETIME - Duration::from_nanos(1)), Ok(until));
    assert_eq!(spent(PERMIT_LIFETIME), Err(ExpiredDecision));
    assert_eq!(spent(Duration::from_secs(3600)), Err(ExpiredDecision));
}
