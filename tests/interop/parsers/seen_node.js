// What Node's http server, URL and URLSearchParams make of a request: `seen_node.js PORT`.

const http = require("node:http");

http
  .createServer((request, response) => {
    const pieces = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => {
      const body = Buffer.concat(pieces);
      const url = new URL(request.url, "http://upstream.example");
      const type = (request.headers["content-type"] || "").split(";")[0].trim().toLowerCase();
      const headers = [];
      for (let at = 0; at < request.rawHeaders.length; at += 2) {
        headers.push([request.rawHeaders[at], request.rawHeaders[at + 1]]);
      }
      let members = null;
      try {
        members = type === "application/json" && body.length ? JSON.parse(body) : null;
      } catch {}
      const isForm = type === "application/x-www-form-urlencoded";
      const seen = {
        method: request.method,
        path: url.pathname,
        query: [...url.searchParams],
        form: isForm ? [...new URLSearchParams(body.toString())] : [],
        json: members,
        headers,
        target: request.url,
        body: body.toString("base64"),
      };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ RequestId: "x", seen }));
    });
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
