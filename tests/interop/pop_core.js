// One call by the Node SDK (@alicloud/pop-core). Takes a call as JSON on standard input, prints what came of it
// as JSON.
const { RPCClient } = require("@alicloud/pop-core");

let text = "";
process.stdin.on("data", (chunk) => (text += chunk));
process.stdin.on("end", async () => {
  const asked = JSON.parse(text);
  const client = new RPCClient({
    accessKeyId: asked.id,
    accessKeySecret: asked.secret,
    securityToken: asked.token,
    endpoint: `http://${asked.endpoint}`,
    apiVersion: asked.version,
  });
  try {
    const body = await client.request(asked.action, asked.parameters, { method: "POST" });
    console.log(JSON.stringify({ ok: true, body }));
  } catch (raised) {
    const { name, code, message } = raised;
    console.log(JSON.stringify({ ok: false, raised: name, code, message }));
  }
});
