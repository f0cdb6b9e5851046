//! The sandbox's other actions: roles, policies and their versions, groups, log-ins, tags, the recycle bin.

use akgate_client::signer::SigningCredentials;
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, Behind, TestNode};

const RAM: &str = "2015-05-01";
const IMS: &str = "2019-08-15";

pub struct Cloud {
    pub node: TestNode,
    pub root: SigningCredentials,
}

impl Cloud {
    pub async fn new() -> Self {
        let node = TestNode::new(Behind::Sandbox).await;
        let root = node.key("LTAI5tFakeRoot", None).await;
        Self { node, root }
    }

    /// The body where it is done, `status code` where it is not.
    pub async fn ask(
        &self,
        version: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Value, String> {
        let reply = self
            .node
            .call(&self.root, version, action, parameters)
            .await;
        match reply.body.get("Code") {
            None if reply.status.is_success() => Ok(reply.body),
            _ => Err(format!("{} {}", reply.status.as_u16(), reply.code())),
        }
    }

    pub async fn ram(&self, action: &str, parameters: &[(&str, &str)]) -> Value {
        let done = self.ask(RAM, action, parameters).await;
        done.unwrap_or_else(|refused| panic!("{action}: {refused}"))
    }

    pub async fn ims(&self, action: &str, parameters: &[(&str, &str)]) -> Value {
        let done = self.ask(IMS, action, parameters).await;
        done.unwrap_or_else(|refused| panic!("{action}: {refused}"))
    }

    pub async fn refused(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        self.ask(RAM, action, parameters).await.unwrap_err()
    }
}

fn names(tree: &Value, path: [&str; 2], member: &str) -> Vec<String> {
    let list = tree[path[0]][path[1]].as_array().unwrap();
    list.iter()
        .map(|one| one[member].as_str().unwrap().to_owned())
        .collect()
}

fn document(action: &str) -> String {
    json!({ "Version": "1", "Statement": [{ "Effect": "Allow", "Action": action, "Resource": "*" }] })
        .to_string()
}

fn trust() -> String {
    json!({ "Version": "1", "Statement": [{
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": { "RAM": [format!("acs:ram::{ACCOUNT}:root")] },
    }] })
    .to_string()
}

#[tokio::test]
async fn role_is_created_read_updated_and_deleted() {
    let cloud = Cloud::new().await;
    let trust = trust();
    let made = cloud
        .ram(
            "CreateRole",
            &[
                ("RoleName", "Deployer"),
                ("AssumeRolePolicyDocument", &trust),
                ("Tag.1.Key", "team"),
                ("Tag.1.Value", "red"),
            ],
        )
        .await;
    assert_eq!(made["Role"]["MaxSessionDuration"], 3600);
    cloud
        .ram(
            "CreateRole",
            &[("RoleName", "other"), ("AssumeRolePolicyDocument", &trust)],
        )
        .await;
    let name = [("RoleName", "deployer")];
    let got = cloud.ram("GetRole", &name).await;
    assert_eq!(got["Role"]["AssumeRolePolicyDocument"], trust);
    assert_eq!(
        got["Role"]["Arn"],
        format!("acs:ram::{ACCOUNT}:role/deployer")
    );
    let changed = cloud
        .ram(
            "UpdateRole",
            &[
                ("RoleName", "Deployer"),
                ("NewDescription", "ships"),
                ("NewMaxSessionDuration", "7200"),
            ],
        )
        .await;
    assert_eq!(changed["Role"]["Description"], "ships");
    assert_eq!(changed["Role"]["MaxSessionDuration"], 7200);
    assert_eq!(
        cloud
            .refused(
                "UpdateRole",
                &[("RoleName", "Deployer"), ("NewMaxSessionDuration", "43201")]
            )
            .await,
        "400 InvalidParameter.NewMaxSessionDuration"
    );
    let first = cloud.ram("ListRoles", &[("MaxItems", "1")]).await;
    assert_eq!(names(&first, ["Roles", "Role"], "RoleName"), ["Deployer"]);
    assert_eq!(
        first["Roles"]["Role"][0]["Tags"]["Tag"],
        json!([{ "TagKey": "team", "TagValue": "red" }])
    );
    let marker = first["Marker"].as_str().unwrap();
    let rest = cloud.ram("ListRoles", &[("Marker", marker)]).await;
    assert_eq!(names(&rest, ["Roles", "Role"], "RoleName"), ["other"]);
    let red = cloud
        .ram(
            "ListRoles",
            &[("Tag", "[{\"Key\":\"team\",\"Value\":\"red\"}]")],
        )
        .await;
    assert_eq!(names(&red, ["Roles", "Role"], "RoleName"), ["Deployer"]);
    let attached = [
        ("PolicyType", "System"),
        ("PolicyName", "ReadOnlyAccess"),
        ("RoleName", "Deployer"),
    ];
    cloud.ram("AttachPolicyToRole", &attached).await;
    let listed = cloud.ram("ListPoliciesForRole", &name).await;
    assert_eq!(
        names(&listed, ["Policies", "Policy"], "PolicyName"),
        ["ReadOnlyAccess"]
    );
    assert_eq!(
        cloud.refused("DeleteRole", &name).await,
        "409 DeleteConflict.Role.Policy"
    );
    cloud.ram("DetachPolicyFromRole", &attached).await;
    assert_eq!(
        cloud.refused("DetachPolicyFromRole", &attached).await,
        "404 EntityNotExist.Role.Policy"
    );
    cloud.ram("DeleteRole", &name).await;
    assert_eq!(
        cloud.refused("GetRole", &name).await,
        "404 EntityNotExist.Role"
    );
}

#[tokio::test]
async fn policy_has_at_most_five_versions_and_one_default() {
    let cloud = Cloud::new().await;
    let name = ("PolicyName", "mine");
    let custom = ("PolicyType", "Custom");
    let first = document("ecs:Describe*");
    let made = cloud
        .ram("CreatePolicy", &[name, ("PolicyDocument", &first)])
        .await;
    assert_eq!(made["Policy"]["DefaultVersion"], "v1");
    assert_eq!(made["Policy"]["PolicyType"], "Custom");
    assert_eq!(
        cloud
            .refused("CreatePolicy", &[name, ("PolicyDocument", &first)])
            .await,
        "409 EntityAlreadyExists.Policy"
    );
    for (bad, code) in [
        ("{}".to_owned(), "400 MalformedPolicyDocument"),
        (
            "x".repeat(6145),
            "400 InvalidParameter.PolicyDocument.Length",
        ),
    ] {
        let asked = [("PolicyName", "bad"), ("PolicyDocument", bad.as_str())];
        assert_eq!(cloud.refused("CreatePolicy", &asked).await, code);
    }
    let second = document("oss:*");
    let made = cloud
        .ram(
            "CreatePolicyVersion",
            &[name, ("PolicyDocument", &second), ("SetAsDefault", "True")],
        )
        .await;
    assert_eq!(made["PolicyVersion"]["VersionId"], "v2");
    assert_eq!(made["PolicyVersion"]["IsDefaultVersion"], true);
    let got = cloud.ram("GetPolicy", &[name, custom]).await;
    assert_eq!(got["DefaultPolicyVersion"]["PolicyDocument"], second);
    let old = cloud
        .ram("GetPolicyVersion", &[name, custom, ("VersionId", "v1")])
        .await;
    assert_eq!(old["PolicyVersion"]["PolicyDocument"], first);
    for _ in 0..3 {
        cloud
            .ram("CreatePolicyVersion", &[name, ("PolicyDocument", &first)])
            .await;
    }
    assert_eq!(
        cloud
            .refused("CreatePolicyVersion", &[name, ("PolicyDocument", &first)])
            .await,
        "409 LimitExceeded.Policy.Version"
    );
    let rotating = [
        name,
        ("PolicyDocument", first.as_str()),
        (
            "RotateStrategy",
            "DeleteOldestNonDefaultVersionWhenLimitExceeded",
        ),
    ];
    cloud.ram("CreatePolicyVersion", &rotating).await;
    let versions = cloud.ram("ListPolicyVersions", &[name, custom]).await;
    assert_eq!(
        names(&versions, ["PolicyVersions", "PolicyVersion"], "VersionId"),
        ["v2", "v3", "v4", "v5", "v6"]
    );
    assert_eq!(
        cloud
            .refused("DeletePolicyVersion", &[name, ("VersionId", "v2")])
            .await,
        "409 DeleteConflict.Policy.Version.Default"
    );
    assert_eq!(
        cloud
            .refused("SetDefaultPolicyVersion", &[name, ("VersionId", "v1")])
            .await,
        "404 EntityNotExist.Policy.Version"
    );
    assert_eq!(
        cloud
            .refused("SetDefaultPolicyVersion", &[name, ("VersionId", "2")])
            .await,
        "400 InvalidParameter.VersionId.Format"
    );
    cloud
        .ram("SetDefaultPolicyVersion", &[name, ("VersionId", "v3")])
        .await;
    cloud
        .ram("DeletePolicyVersion", &[name, ("VersionId", "v2")])
        .await;
    let described = cloud
        .ram(
            "UpdatePolicyDescription",
            &[name, ("NewDescription", "ours")],
        )
        .await;
    assert_eq!(described["Policy"]["Description"], "ours");
    let listed = cloud.ram("ListPolicies", &[custom]).await;
    assert_eq!(
        names(&listed, ["Policies", "Policy"], "PolicyName"),
        ["mine"]
    );
    assert_eq!(listed["Policies"]["Policy"][0]["DefaultVersion"], "v3");
    let all = cloud.ram("ListPolicies", &[]).await;
    assert_eq!(all["Policies"]["Policy"].as_array().unwrap().len(), 10);
    assert_eq!(
        cloud.refused("DeletePolicy", &[name]).await,
        "409 DeleteConflict.Policy.Version"
    );
    cloud
        .ram("DeletePolicy", &[name, ("CascadingDelete", "true")])
        .await;
    assert_eq!(
        cloud.refused("GetPolicy", &[name, custom]).await,
        "404 EntityNotExist.Policy"
    );
    assert_eq!(
        cloud
            .refused(
                "SetDefaultPolicyVersion",
                &[("PolicyName", "ReadOnlyAccess"), ("VersionId", "v1")]
            )
            .await,
        "404 EntityNotExist.Policy",
        "a System policy is nobody's to change"
    );
}

#[tokio::test]
async fn groups_hold_users_and_policies() {
    let cloud = Cloud::new().await;
    let group = ("GroupName", "ops");
    let user = ("UserName", "alice");
    cloud.ram("CreateUser", &[user]).await;
    let made = cloud
        .ram("CreateGroup", &[group, ("Comments", "on call")])
        .await;
    assert!(made["Group"]["GroupId"].as_str().unwrap().starts_with("g-"));
    assert_eq!(
        cloud.refused("CreateGroup", &[group]).await,
        "409 EntityAlreadyExists.Group"
    );
    cloud.ram("AddUserToGroup", &[group, user]).await;
    assert_eq!(
        cloud.refused("AddUserToGroup", &[group, user]).await,
        "409 EntityAlreadyExists.User.Group"
    );
    let groups = cloud.ram("ListGroupsForUser", &[user]).await;
    assert_eq!(names(&groups, ["Groups", "Group"], "GroupName"), ["ops"]);
    let users = cloud.ram("ListUsersForGroup", &[group]).await;
    assert_eq!(names(&users, ["Users", "User"], "UserName"), ["alice"]);
    assert_eq!(
        cloud.refused("DeleteUser", &[user]).await,
        "409 DeleteConflict.User.Group"
    );
    assert_eq!(
        cloud.refused("DeleteGroup", &[group]).await,
        "409 DeleteConflict.Group.User"
    );
    cloud.ram("RemoveUserFromGroup", &[group, user]).await;
    assert_eq!(
        cloud.refused("RemoveUserFromGroup", &[group, user]).await,
        "404 EntityNotExist.User.Group"
    );
    let policy = [
        group,
        ("PolicyType", "System"),
        ("PolicyName", "ReadOnlyAccess"),
    ];
    cloud.ram("AttachPolicyToGroup", &policy).await;
    assert_eq!(
        cloud.refused("AttachPolicyToGroup", &policy).await,
        "409 EntityAlreadyExists.Group.Policy"
    );
    let entities = cloud.ram("ListEntitiesForPolicy", &policy[1..]).await;
    assert_eq!(names(&entities, ["Groups", "Group"], "GroupName"), ["ops"]);
    let listed = cloud.ram("ListPoliciesForGroup", &[group]).await;
    assert_eq!(
        names(&listed, ["Policies", "Policy"], "PolicyName"),
        ["ReadOnlyAccess"]
    );
    assert_eq!(
        cloud.refused("DeleteGroup", &[group]).await,
        "409 DeleteConflict.Group.Policy"
    );
    cloud.ram("DetachPolicyFromGroup", &policy).await;
    cloud
        .ram("UpdateGroup", &[group, ("NewGroupName", "oncall")])
        .await;
    let listed = cloud.ram("ListGroups", &[]).await;
    assert_eq!(names(&listed, ["Groups", "Group"], "GroupName"), ["oncall"]);
    assert_eq!(listed["IsTruncated"], false);
    cloud.ram("DeleteGroup", &[("GroupName", "oncall")]).await;
    assert_eq!(
        cloud.refused("GetGroup", &[("GroupName", "oncall")]).await,
        "404 EntityNotExist.Group"
    );
    let own = document("ram:*");
    cloud
        .ram(
            "CreatePolicy",
            &[("PolicyName", "own"), ("PolicyDocument", &own)],
        )
        .await;
    let on_user = [user, ("PolicyType", "Custom"), ("PolicyName", "own")];
    cloud.ram("AttachPolicyToUser", &on_user).await;
    assert_eq!(
        cloud
            .refused("DeletePolicy", &[("PolicyName", "own")])
            .await,
        "409 DeleteConflict.Policy.User"
    );
    let listed = cloud.ram("ListPoliciesForUser", &[user]).await;
    assert_eq!(listed["Policies"]["Policy"][0]["PolicyType"], "Custom");
    cloud.ram("DetachPolicyFromUser", &on_user).await;
    cloud.ram("DeletePolicy", &[("PolicyName", "own")]).await;
    cloud.ram("DeleteUser", &[user]).await;
}

#[tokio::test]
async fn login_profile_stores_no_password_and_blocks_deletion_of_its_user() {
    let cloud = Cloud::new().await;
    let user = ("UserName", "alice");
    cloud.ram("CreateUser", &[user]).await;
    assert_eq!(
        cloud.refused("GetLoginProfile", &[user]).await,
        "404 EntityNotExist.User.LoginProfile"
    );
    for weak in ["short1!", "alllowercase"] {
        assert_eq!(
            cloud
                .refused("CreateLoginProfile", &[user, ("Password", weak)])
                .await,
            "400 InvalidParameter.Password.TooWeak"
        );
    }
    let asked = [
        user,
        ("Password", "Fake-Password-1"),
        ("PasswordResetRequired", "True"),
    ];
    let made = cloud.ram("CreateLoginProfile", &asked).await;
    assert_eq!(made["LoginProfile"]["PasswordResetRequired"], true);
    assert!(!made.to_string().contains("Fake-Password-1"));
    assert_eq!(
        cloud.refused("CreateLoginProfile", &asked).await,
        "409 EntityAlreadyExists.User.LoginProfile"
    );
    cloud
        .ram("UpdateLoginProfile", &[user, ("MFABindRequired", "true")])
        .await;
    let got = cloud.ram("GetLoginProfile", &[user]).await;
    assert_eq!(got["LoginProfile"]["MFABindRequired"], true);
    assert_eq!(
        cloud.refused("DeleteUser", &[user]).await,
        "409 DeleteConflict.User.LoginProfile"
    );
    cloud.ram("DeleteLoginProfile", &[user]).await;
    cloud.ram("DeleteUser", &[user]).await;
    let kept: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM intents i WHERE to_jsonb(i)::text LIKE '%Fake-Password-1%'",
    )
    .fetch_one(&cloud.node.pool)
    .await
    .unwrap();
    assert_eq!(kept, 0, "no intent keeps a password");
}

#[tokio::test]
async fn tags_are_read_as_json_or_flattened() {
    let cloud = Cloud::new().await;
    for name in ["alice", "bob"] {
        cloud.ram("CreateUser", &[("UserName", name)]).await;
    }
    let user = ("ResourceType", "user");
    cloud
        .ram(
            "TagResources",
            &[
                user,
                ("ResourceNames", "[\"alice\",\"bob\"]"),
                ("Tag", "[{\"Key\":\"team\",\"Value\":\"red\"}]"),
            ],
        )
        .await;
    cloud
        .ram(
            "TagResources",
            &[
                user,
                ("ResourceNames.1", "alice"),
                ("Tag.1.Key", "team"),
                ("Tag.1.Value", "blue"),
                ("Tag.2.Key", "stage"),
            ],
        )
        .await;
    let listed = cloud.ram("ListTagResources", &[user]).await;
    let tag = |name: &str, key: &str, value: &str| json!({ "ResourceType": "user", "ResourceName": name, "TagKey": key, "TagValue": value });
    assert_eq!(
        listed["TagResources"],
        json!([
            tag("alice", "stage", ""),
            tag("alice", "team", "blue"),
            tag("bob", "team", "red")
        ])
    );
    let first = cloud
        .ram("ListTagResources", &[user, ("PageSize", "2")])
        .await;
    let next = first["NextToken"].as_str().unwrap();
    let rest = cloud
        .ram("ListTagResources", &[user, ("NextToken", next)])
        .await;
    assert_eq!(rest["TagResources"], json!([tag("bob", "team", "red")]));
    let blue = cloud
        .ram(
            "ListTagResources",
            &[user, ("Tag.1.Key", "team"), ("Tag.1.Value", "blue")],
        )
        .await;
    assert_eq!(blue["TagResources"], json!([tag("alice", "team", "blue")]));
    cloud
        .ram(
            "UntagResources",
            &[
                user,
                ("ResourceNames", "[\"alice\"]"),
                ("TagKeys", "[\"team\"]"),
            ],
        )
        .await;
    let of_alice = cloud
        .ram(
            "ListTagResources",
            &[user, ("ResourceNames", "[\"alice\"]")],
        )
        .await;
    assert_eq!(of_alice["TagResources"], json!([tag("alice", "stage", "")]));
    for (bad, code) in [
        (
            [user, ("ResourceNames", "alice"), ("Tag.1.Key", "k")],
            "400 InvalidParameter.ResourceNames",
        ),
        (
            [user, ("ResourceNames.1", "carol"), ("Tag.1.Key", "k")],
            "404 EntityNotExist.User",
        ),
        (
            [
                ("ResourceType", "moon"),
                ("ResourceNames.1", "alice"),
                ("Tag.1.Key", "k"),
            ],
            "400 InvalidParameter.ResourceType",
        ),
        (
            [user, ("ResourceNames.1", "alice"), ("Tag.1.Value", "v")],
            "400 MissingParameter.Tag.Key",
        ),
    ] {
        assert_eq!(cloud.refused("TagResources", &bad).await, code);
    }
    let ims = cloud
        .ims(
            "GetUser",
            &[(
                "UserPrincipalName",
                &format!("alice@{ACCOUNT}.onaliyun.com"),
            )],
        )
        .await;
    assert_eq!(
        ims["User"]["Tags"]["Tag"],
        json!([{ "TagKey": "stage", "TagValue": "" }])
    );
}

#[tokio::test]
async fn deleted_key_can_be_restored_from_the_recycle_bin() {
    let cloud = Cloud::new().await;
    let principal = format!("alice@{ACCOUNT}.onaliyun.com");
    let user = ("UserPrincipalName", principal.as_str());
    let made = cloud.ims("CreateUser", &[user]).await;
    let user_id = made["User"]["UserId"].as_str().unwrap().to_owned();
    let key = cloud.ims("CreateAccessKey", &[user]).await;
    let member = |name: &str| key["AccessKey"][name].as_str().unwrap().to_owned();
    let credentials = SigningCredentials {
        access_key_id: member("AccessKeyId"),
        access_key_secret: member("AccessKeySecret"),
        security_token: None,
    };
    let id = ("UserAccessKeyId", credentials.access_key_id.as_str());
    let code = async || {
        let asked = [("UserName", "alice")];
        let reply = cloud.node.call(&credentials, RAM, "GetUser", &asked).await;
        reply.code().to_owned()
    };
    assert_eq!(code().await, "");
    let used = cloud.ims("GetAccessKeyLastUsed", &[user, id]).await;
    assert_eq!(used["AccessKeyLastUsed"]["ServiceName"], "RAM");
    assert!(
        used["AccessKeyLastUsed"]["LastUsedDate"]
            .as_str()
            .unwrap()
            .ends_with('Z')
    );
    let by_key = cloud.ims("GetUser", &[id]).await;
    assert_eq!(by_key["User"]["UserId"], user_id);
    cloud
        .ims("UpdateAccessKey", &[user, id, ("Status", "Inactive")])
        .await;
    assert_eq!(code().await, "InvalidAccessKeyId.Inactive");
    cloud.ims("DeleteAccessKey", &[user, id]).await;
    assert_eq!(
        cloud.ims("ListAccessKeys", &[user]).await["AccessKeys"],
        json!({ "AccessKey": [] })
    );
    let of = ("UserId", user_id.as_str());
    let bin = cloud.ims("ListAccessKeysInRecycleBin", &[of]).await;
    assert_eq!(
        names(&bin, ["AccessKeys", "AccessKey"], "AccessKeyId"),
        [credentials.access_key_id.as_str()]
    );
    assert_eq!(
        cloud
            .ask(IMS, "ListAccessKeysInRecycleBin", &[])
            .await
            .unwrap_err(),
        "400 MissingParameter.UserId"
    );
    cloud.ims("RestoreAccessKeyFromRecycleBin", &[of, id]).await;
    assert_eq!(code().await, "");
    cloud.ims("DeleteAccessKey", &[user, id]).await;
    cloud.ims("DeleteAccessKeyInRecycleBin", &[of, id]).await;
    assert_eq!(
        cloud
            .ask(IMS, "RestoreAccessKeyFromRecycleBin", &[of, id])
            .await
            .unwrap_err(),
        "404 EntityNotExist.User.AccessKey"
    );
}

#[tokio::test]
async fn user_named_by_id_is_also_renamed_and_deleted_in_the_directory() {
    let cloud = Cloud::new().await;
    let principal = format!("alice@{ACCOUNT}.onaliyun.com");
    let made = cloud
        .ims("CreateUser", &[("UserPrincipalName", &principal)])
        .await;
    let user_id = made["User"]["UserId"].as_str().unwrap().to_owned();
    let of = ("UserId", user_id.as_str());
    let renamed = format!("alicia@{ACCOUNT}.onaliyun.com");
    cloud
        .ims("UpdateUser", &[of, ("NewUserPrincipalName", &renamed)])
        .await;
    let known = async || -> Vec<Option<String>> {
        sqlx::query_scalar(
            "SELECT user_name FROM principals WHERE user_name IS NOT NULL AND deleted_at IS NULL",
        )
        .fetch_all(&cloud.node.pool)
        .await
        .unwrap()
    };
    assert_eq!(known().await, [Some("alicia".to_owned())]);
    cloud.ims("DeleteUser", &[of]).await;
    assert_eq!(known().await, []);
}

#[tokio::test]
async fn sandbox_serves_every_action_of_the_sdks() {
    let cloud = Cloud::new().await;
    let catalogue = std::fs::read_to_string("config/catalogue.csv").unwrap();
    let mut served = 0;
    let mut missing = Vec::new();
    for line in catalogue.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split(',');
        let (product, version, action) = (
            fields.next().unwrap(),
            fields.next().unwrap(),
            fields.next().unwrap(),
        );
        if !["RAM", "IMS", "STS"].contains(&product) {
            continue;
        }
        let answered = cloud.ask(version, action, &[]).await;
        if answered.err().as_deref() != Some("404 InvalidAction.NotFound") {
            served += 1;
        } else {
            missing.push(action);
        }
    }
    assert_eq!(served, 180);
    // The old core SDKs alone know these.
    assert_eq!(missing, ["GenerateSessionAccessKey", "GetSessionAccessKey"]);
}
