//! Snippets to paste after the scenario: SDK calls and requests to the admin API.

use super::{report::Endpoints, seed::Fixtures};

/// The text: a call that passes and one that is refused, in Python, Node and with curl.
#[must_use]
pub fn render_snippets(endpoints: &Endpoints, fixtures: &Fixtures, variables: &str) -> String {
    let Endpoints {
        gateway_url,
        admin_url,
        operator_token,
        approver_token,
        letters_dir,
        ..
    } = endpoints;
    let endpoint = gateway_url.trim_start_matches("http://");
    let (clean, leaked) = (&fixtures.bob, &fixtures.alice);
    format!(
        r#"
The gateway is up; Ctrl-C ends everything. bob's key is clean, alice's old key is restricted.

Python (pip install alibabacloud_ram20150501):

  from alibabacloud_ram20150501.client import Client
  from alibabacloud_ram20150501.models import CreateUserRequest
  from alibabacloud_tea_openapi.models import Config
  def client(key_id, secret):
      return Client(Config(access_key_id=key_id, access_key_secret=secret, endpoint="{endpoint}", protocol="http"))
  print(client("{clean_id}", "{clean_secret}").create_user(CreateUserRequest(user_name="from-python")).body)
  print(client("{leaked_id}", "{leaked_secret}").create_user(CreateUserRequest(user_name="refused")).body)

Node (npm install @alicloud/pop-core):

  const RPC = require("@alicloud/pop-core").RPCClient
  const client = (accessKeyId, accessKeySecret) =>
    new RPC({{ accessKeyId, accessKeySecret, endpoint: "{gateway_url}", apiVersion: "2015-05-01" }})
  client("{clean_id}", "{clean_secret}").request("ListUsers").then(console.log)
  client("{leaked_id}", "{leaked_secret}").request("CreateUser", {{ UserName: "refused" }}).catch(e => console.log(e.code, e.message))

Operators (docs/operators.md; what takes two people is approved with AKGATE_TOKEN={approver_token}):

  export AKGATE_SERVER={admin_url} AKGATE_TOKEN={operator_token}
  akgate restrictions list

  curl -s -H "Authorization: Bearer {operator_token}" {admin_url}/admin/v1/restrictions
  curl -s -H "Authorization: Bearer {operator_token}" {admin_url}/admin/v1/keys/{leaked_id}/activity
  curl -s -H "Authorization: Bearer {operator_token}" -H "Content-Type: application/json" \
    -d '{{"access_key_id":"{clean_id}","source":"operator","reference":"my-first-report"}}' \
    {admin_url}/admin/v1/leak-reports

Sources of leaks (docs/sources.md has more of them):

  . {variables}
  printf '[{{"token":"%s","type":"secret","url":"https://github.com/example/app/blob/main/.env"}}]' "$LEAKED_SECRET" > delivery.json
  curl -sS -H "Github-Public-Key-Identifier: $KEY_ID" \
    -H "Github-Public-Key-Signature: $(openssl dgst -sha256 -sign "$KEY_FILE" delivery.json | base64 -w0)" \
    --data-binary @delivery.json "$PUBLIC/v1/leaks/github"

Letters: {letters_dir}
"#,
        clean_id = clean.access_key_id,
        clean_secret = clean.access_key_secret,
        leaked_id = leaked.access_key_id,
        leaked_secret = leaked.access_key_secret,
    )
}
