// Calls by the Node SDK of before (@alicloud/pop-core). Takes calls on standard input, one JSON object per line, and
// prints what came of each as JSON.
const readline = require("node:readline");
const { RPCClient } = require(process.argv[2]);

async function call(asked) {
  const client = new RPCClient({
    accessKeyId: asked.id,
    accessKeySecret: asked.secret,
    securityToken: asked.token,
    endpoint: `http://${asked.endpoint}`,
    apiVersion: asked.version,
  });
  return client.request(asked.action, asked.parameters, { method: "POST" });
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    try {
      const body = await call(JSON.parse(line));
      console.log(JSON.stringify({ ok: true, body }));
    } catch (raised) {
      const { name, code, message } = raised;
      console.log(JSON.stringify({ ok: false, raised: name, code, message }));
    }
  }
})();
