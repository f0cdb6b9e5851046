// Calls by the typed Node SDKs (@alicloud/ram20150501, @alicloud/ims20190815, @alicloud/sts20150401), of today
// (openapi-core) or, with the argument "-before", of before (openapi-client). Takes calls on standard input, one JSON
// object per line, and prints what came of each as JSON. With `role`, the call is signed by what
// @alicloud/credentials gets for that role (RamRoleArn).
const readline = require("node:readline");

const before = process.argv[2] === "-before";
const sdk = (name) => require(before ? `${name}-before` : `@alicloud/${name}`);
const PACKAGES = {
  "2015-05-01": "ram20150501",
  "2019-08-15": "ims20190815",
  "2015-04-01": "sts20150401",
};
const providers = new Map();

// A name of the wire, as the SDKs write it: the first letters small.
const camel = (name) => name.replace(/^[A-Z]+(?![a-z])|^[A-Z]/, (letters) => letters.toLowerCase());

// One per name: a provider keeps its session until that is about to end.
function provider(asked) {
  if (!providers.has(asked.provider)) {
    const { default: Credential, Config } = sdk("credentials");
    const config = new Config({
      type: "ram_role_arn",
      accessKeyId: asked.id,
      accessKeySecret: asked.secret,
      roleArn: asked.role,
      roleSessionName: "interop",
      stsEndpoint: asked.endpoint,
    });
    providers.set(asked.provider, new Credential(config));
  }
  return providers.get(asked.provider);
}

async function call(asked) {
  const models = sdk(PACKAGES[asked.version]);
  const settings = { endpoint: asked.endpoint, protocol: asked.protocol };
  if (asked.role) {
    settings.credential = provider(asked);
  } else {
    settings.accessKeyId = asked.id;
    settings.accessKeySecret = asked.secret;
    if (asked.token) settings.securityToken = asked.token;
  }
  if (asked.algorithm) settings.signatureAlgorithm = asked.algorithm;
  const client = new models.default(settings);
  const Request = models[`${asked.action}Request`];
  const method = camel(asked.action);
  if (!Request) return (await client[method]()).body;
  const parameters = Object.entries(asked.parameters).map(([name, value]) => [camel(name), value]);
  const answer = await client[method](new Request(Object.fromEntries(parameters)));
  return answer.body;
}

// The members of an answer under the names of the wire.
function wire(value) {
  if (Array.isArray(value)) return value.map(wire);
  if (value === null || typeof value !== "object") return value;
  const names = value.constructor.names ? value.constructor.names() : {};
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [names[name] || name, wire(one)]));
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    try {
      const body = wire(await call(JSON.parse(line)));
      console.log(JSON.stringify({ ok: true, body }));
    } catch (raised) {
      const { name, code, message } = raised;
      console.log(JSON.stringify({ ok: false, raised: name, code, message }));
    }
  }
})();
