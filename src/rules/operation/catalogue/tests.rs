use std::collections::BTreeMap;

use super::*;
use crate::operation::MutationKind;

const HEAD: &str = "# comment\nproduct,version,action,effect,sensitive,names\n";

fn fault(rows: &str) -> String {
    Catalogue::parse(&format!("{HEAD}{rows}"))
        .unwrap_err()
        .to_string()
}

#[test]
fn built_in_catalogue_has_the_expected_counts_per_product_and_effect() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for operation in Catalogue::built_in().unwrap().operations() {
        let product = operation.product();
        *counts.entry(format!("{product}")).or_default() += 1;
        *counts
            .entry(format!("{product} {}", operation.effect()))
            .or_default() += 1;
        *counts.entry("all".to_owned()).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(k, v)| format!("{k}: {v}")).collect();
    assert_eq!(
        counts,
        [
            "IMS: 107",
            "IMS Disclose: 1",
            "IMS Mutate(Credential): 23",
            "IMS Mutate(Identity): 23",
            "IMS Mutate(Other): 2",
            "IMS Mutate(Permission): 12",
            "IMS Read: 46",
            "RAM: 69",
            "RAM Mutate(Credential): 11",
            "RAM Mutate(Identity): 12",
            "RAM Mutate(Permission): 19",
            "RAM Read: 27",
            "ResourceManager: 114",
            "ResourceManager Mutate(Credential): 6",
            "ResourceManager Mutate(Identity): 21",
            "ResourceManager Mutate(Other): 11",
            "ResourceManager Mutate(Permission): 29",
            "ResourceManager Read: 47",
            "STS: 6",
            "STS MintSession: 3",
            "STS Mutate(Credential): 2",
            "STS Read: 1",
            "all: 296",
        ]
    );
}

#[test]
fn actions_have_their_documented_effect() {
    let catalogue = Catalogue::built_in().unwrap();
    for (version, action, effect) in [
        (
            "2015-05-01",
            "CreateUser",
            Effect::Mutate(MutationKind::Identity),
        ),
        (
            "2015-05-01",
            "CreateAccessKey",
            Effect::Mutate(MutationKind::Credential),
        ),
        (
            "2015-05-01",
            "AttachPolicyToUser",
            Effect::Mutate(MutationKind::Permission),
        ),
        ("2015-05-01", "ListUsers", Effect::Read),
        ("2019-08-15", "GetAppSecret", Effect::Disclose),
        ("2015-04-01", "AssumeRole", Effect::MintSession),
        ("2015-04-01", "AssumeRoleWithSAML", Effect::MintSession),
        ("2015-04-01", "GetCallerIdentity", Effect::Read),
        (
            "2015-04-01",
            "GetSessionAccessKey",
            Effect::Mutate(MutationKind::Credential),
        ),
        (
            "2015-04-01",
            "GenerateSessionAccessKey",
            Effect::Mutate(MutationKind::Credential),
        ),
        (
            "2020-03-31",
            "CreateFolder",
            Effect::Mutate(MutationKind::Other),
        ),
    ] {
        let operation = catalogue.operation(version, action).unwrap();
        assert_eq!(operation.effect(), effect, "{version} {action}");
    }
}

#[test]
fn action_in_another_case_or_of_another_version_is_unknown() {
    let catalogue = Catalogue::built_in().unwrap();
    for (version, action) in [
        ("2015-05-01", "listUsers"),
        ("2015-05-01", "LISTUSERS"),
        ("2015-05-01", "ListUsers "),
        ("2015-05-01", ""),
        ("2015-04-01", "ListUsers"),
        ("2019-08-15", "ListPolicies"),
    ] {
        let operation = catalogue.operation(version, action).unwrap();
        assert_eq!(operation.effect(), Effect::Unknown, "{version} {action:?}");
    }
    assert_eq!(catalogue.operation("2014-05-26", "RunInstances"), None);
}

#[test]
fn catalogued_product_is_never_foreign() {
    let catalogue = Catalogue::built_in().unwrap();
    for product in ["RAM", "ram", "Ram", "ims", "Sts", "resourcemanager"] {
        assert!(
            matches!(
                catalogue.foreign(product, "2099-01-01", "CreateUser"),
                Err(ForeignOperationFault::Product { .. })
            ),
            "{product}"
        );
    }
    assert_eq!(
        catalogue.foreign("Ecs", "2015-05-01", "CreateUser"),
        Err(ForeignOperationFault::Version {
            given: Product::from_code("Ecs"),
            version: "2015-05-01".to_owned(),
            product: Product::Ram
        })
    );
    assert_eq!(
        catalogue.foreign("", "x", "y"),
        Err(ForeignOperationFault::Empty)
    );
    let operation = catalogue
        .foreign("Ecs", "2014-05-26", "RunInstances")
        .unwrap();
    assert_eq!(operation.effect(), Effect::Uncatalogued);
}

#[test]
fn reads_that_map_an_account_are_sensitive() {
    let catalogue = Catalogue::built_in().unwrap();
    let sensitive = catalogue.operations().filter(Operation::is_sensitive);
    assert_eq!(sensitive.count(), 84);
    for (version, action, is_sensitive) in [
        ("2015-05-01", "ListUsers", true),
        ("2015-05-01", "GetPolicyVersion", true),
        ("2019-08-15", "GetCredentialReport", true),
        ("2020-03-31", "ListAccounts", true),
        ("2020-03-31", "ListTagKeys", false),
        ("2015-05-01", "GetPasswordPolicy", false),
        ("2015-04-01", "GetCallerIdentity", false),
        ("2015-05-01", "CreateUser", false),
        ("2015-05-01", "NoSuchAction", false),
    ] {
        let operation = catalogue.operation(version, action).unwrap();
        assert_eq!(operation.is_sensitive(), is_sensitive, "{action}");
    }
}

#[test]
fn object_names_are_recorded_without_secrets() {
    let catalogue = Catalogue::built_in().unwrap();
    let kept = |version, action| -> Vec<String> {
        let operation = catalogue.operation(version, action).unwrap();
        catalogue
            .kept_names(&operation)
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(
        kept("2015-05-01", "UpdateAccessKey"),
        ["Status", "UserAccessKeyId", "UserName"]
    );
    assert_eq!(
        kept("2015-04-01", "AssumeRole"),
        [
            "DurationSeconds",
            "RoleArn",
            "RoleSessionName",
            "SourceIdentity"
        ]
    );
    assert_eq!(kept("2015-05-01", "CreateLoginProfile"), ["UserName"]);
    assert!(kept("2015-05-01", "ChangePassword").is_empty());
    assert!(kept("2015-05-01", "NoSuchAction").is_empty());
}

#[test]
fn only_federated_calls_may_be_anonymous() {
    let anonymous: Vec<String> = {
        let catalogue = Catalogue::built_in().unwrap();
        let mut names: Vec<_> = catalogue
            .operations()
            .filter(Operation::may_be_anonymous)
            .map(|operation| operation.action().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(anonymous, ["AssumeRoleWithOIDC", "AssumeRoleWithSAML"]);
}

#[test]
fn catalogue_errors_name_their_line() {
    for (rows, message) in [
        ("", "line 2: there are no rows"),
        (
            "RAM,2015-05-01,A,Read",
            "line 3: the row has 4 columns; it must have 6",
        ),
        (
            "RAM,2015-05-01,A,Read,,,",
            "line 3: the row has 7 columns; it must have 6",
        ),
        (
            "RAM,2015-05-01,A,Read,,\"\"",
            "line 3: quotes are not supported",
        ),
        (
            "Ecs,2014-05-26,A,Read,,",
            "line 3: `Ecs` is not a catalogued product",
        ),
        (
            "ram,2015-05-01,A,Read,,",
            "line 3: `ram` is not a catalogued product",
        ),
        (
            "RAM,2015-5-01,A,Read,,",
            "line 3: `2015-5-01` is not a version: YYYY-MM-DD",
        ),
        ("RAM,2015-05-01,,Read,,", "line 3: `` is not an action"),
        ("RAM,2015-05-01, A,Read,,", "line 3: ` A` is not an action"),
        (
            "RAM,2015-05-01,A,read,,",
            "line 3: `read` is not an effect that can be listed",
        ),
        (
            "RAM,2015-05-01,A,Read,no,",
            "line 3: `no`: sensitive must be `yes` (only for a read) or empty",
        ),
        (
            "RAM,2015-05-01,A,Disclose,yes,",
            "line 3: `yes`: sensitive must be `yes` (only for a read) or empty",
        ),
        (
            "RAM,2015-05-01,A,Unknown,,",
            "line 3: `Unknown` is not an effect that can be listed",
        ),
        (
            "RAM,2015-05-01,A,Uncatalogued,,",
            "line 3: `Uncatalogued` is not an effect that can be listed",
        ),
        (
            "RAM,2015-05-01,A,Read,,\n\nRAM,2015-05-01,A,Disclose,,",
            "line 5: 2015-05-01 A is listed twice",
        ),
        (
            "RAM,2015-05-01,A,Read,,X X",
            "line 3: `X` is not a parameter name, or is repeated",
        ),
        (
            "RAM,2015-05-01,A,Read,,X  Y",
            "line 3: `` is not a parameter name, or is repeated",
        ),
        (
            "RAM,2015-05-01,A,Read,,NewPassword",
            "line 3: parameter `NewPassword` may contain a secret and must not be recorded",
        ),
        (
            "RAM,2015-05-01,A,Read,,\nIMS,2015-05-01,B,Read,,",
            "line 4: version 2015-05-01 of IMS conflicts with an earlier row: it is the version of RAM, or IMS has another version",
        ),
        (
            "RAM,2015-05-01,A,Read,,\nRAM,2016-05-01,B,Read,,",
            "line 4: version 2016-05-01 of RAM conflicts with an earlier row: it is the version of RAM, or RAM has another version",
        ),
    ] {
        assert_eq!(fault(rows), message);
    }
    assert_eq!(
        Catalogue::parse("RAM,2015-05-01,A,Read,")
            .unwrap_err()
            .to_string(),
        "line 1: the header must be `product,version,action,effect,sensitive,names`"
    );
    assert_eq!(Catalogue::parse("").unwrap_err().line, 1);
}

#[test]
fn parameters_that_may_hold_a_secret_are_refused() {
    for name in [
        "Password",
        "NewPassword",
        "AppSecret",
        "SAMLAssertion",
        "OIDCToken",
    ] {
        assert!(may_hold_a_secret(name), "{name}");
    }
    for name in [
        "PolicyDocument",
        "Policy",
        "AuthenticationCode1",
        "ExternalId",
    ] {
        assert!(may_hold_a_secret(name), "{name}");
    }
    for name in ["AppSecretId", "PolicyName", "PolicyId", "UserAccessKeyId"] {
        assert!(!may_hold_a_secret(name), "{name}");
    }
}
