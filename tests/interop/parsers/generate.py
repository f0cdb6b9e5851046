"""Requests that a holder of a key can sign, well-formed and not: parameters in odd places, twins of protocol names,
odd paths, methods, media types, JSON and framing."""

import base64
import hashlib
import hmac
import json
import time
import urllib.parse
import uuid

ACTIONS = ["ListUsers", "GetUser", "ListGroups", "GetGroup", "CreateGroup", "DeleteGroup", "NoSuchAction"]
OTHER = ["DeleteLoginProfile", "AttachPolicyToUser", "DetachPolicyFromUser"]
TWINS = ["action", "ACTION", "Action ", " Action", "Action[]", "Action.", "Action\t", "_Action", "Actio\u006e", "aCtion",
         "version", "Version[]", "accessKeyId", "signature", "Signature ", "timestamp", "format", "x-acs-action", "Act\u0131on"]
NAMES = ["UserName", "GroupName", "Comments", "DisplayName", "Marker", "MaxItems", "Tag.1.Key", "Tag.1.Value", "a", "B",
         "\u5f20", "x y", "p+q", "q&r", "s=t", "u;v", "w%41", "m[]", "m[0]", "__proto__", "constructor", "toString", "#", "n\u00e9"]
VALUES = ["alice", "", "a b", "a+b", "a&Action=DeleteLoginProfile", "a;Action=DeleteLoginProfile", "a=b", "\u5f20\u4e09", "%41", "100%", "a\nb", "a\r\nb",
          "\u00e9", "\U0001f600", "a\u0000b", "\ufeff", "\u202e", "null", "1", "-1", "1e9", "true", "x" * 300, "a\u0085b", "'\"<>\\"]
RESERVED = ["callerUid", "caller_uid", "CALLERUID", "ak_mfa_present", "akMfaPresent", "security_transport", "_method"]
PATHS = ["//", "/./", "/%2e/", "/index", "/actuator/shutdown", "/..;/", "/?/", "/%2f", "/;a=b", "/a/../", "/\u00e9", "/%00", "/*", "/+"]
METHODS = ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "get", "POSTX", "TRACE"]
TYPES = ["multipart/form-data; boundary=b", "text/plain", "application/xml", "application/json, text/plain", "application/jsonp",
         "application/x-www-form-urlencoded; charset=utf-16", "application/json; charset=gbk", "APPLICATION/JSON",
         "application/x-www-form-urlencoded;charset=UTF-8", "application/x-www-form-urlencoded; boundary=b", "application/json;x=\"y;z\"",
         "application/vnd.api+json", " application/json ", "application/x-www-form-urlencoded,multipart/form-data; boundary=b"]
HEADERS = ["x-original-url", "x-rewrite-url", "x-http-method-override", "x-acs-caller-uid", "x-acs-source-ip", "x-forwarded-for",
           "x-akgate-identity", "x_acs_action", "x-acs_action", "action", "cookie", "content-encoding", "x-custom", "x-acs-custom", "range",
           "if-none-match", "accept-encoding", "transfer-encoding", "connection", "x-acs-action ", "expect", "te", "authorization2"]


def encode(text):
    return urllib.parse.quote(text, safe="-_.~")


class Call:
    """A request before it is signed."""

    def __init__(self, random, version, key, host):
        self.random, self.version, self.key, self.host = random, version, key, host
        self.scheme = random.choice(["rpc", "acs3"])
        self.method = random.choice(["GET", "POST", "POST"])
        self.path = "/"
        self.action = random.choice(ACTIONS)
        self.action_header = self.action
        self.pairs = {"query": [], "body": []}
        self.kind = "none" if self.method == "GET" else random.choice(["none", "form", "form", "json"])
        self.type = {"none": None, "form": "application/x-www-form-urlencoded", "json": "application/json"}[self.kind]
        self.headers = []
        self.raw_body = None
        self.notes = []
        for name in random.sample(NAMES[:10], random.randint(0, 3)):
            self.add(name, random.choice(VALUES[:4]))

    def add(self, name, value, place=None):
        place = place or ("query" if self.kind == "none" else self.random.choice(["query", "body", "body"]))
        self.pairs[place].append((name, value))

    def mutate(self):
        self.random.choice(MUTATIONS)(self)

    def spell(self, text):
        """One of the ways to write a name or a value in a query or a form."""
        way = self.random.random()
        if way < 0.6:
            return encode(text)
        if way < 0.75:
            return urllib.parse.quote_plus(text)
        if way < 0.85:
            return "".join(f"%{byte:02x}" for byte in text.encode())
        if way < 0.93:
            return urllib.parse.quote(text, safe="-_.~!*'(),:/?@$;")
        return urllib.parse.quote(text, safe="-_.~[]{}|^`\"<>") if way < 0.97 else text

    def line(self, pairs):
        return "&".join(f"{self.spell(name)}={self.spell(value)}" for name, value in pairs)

    def json(self, pairs):
        def member(text):
            if self.random.random() < 0.1:
                return '"' + "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else c for c in text) + '"'
            return json.dumps(text, ensure_ascii=self.random.random() < 0.5)

        def value(text):
            nested = ['{"Action":"DeleteLoginProfile"}', '["a","b"]', "null", "true", "1.5", "1e400", "12", "-0"]
            return self.random.choice(nested) if self.scheme == "acs3" and self.random.random() < 0.15 else member(text)

        return "{" + ",".join(f"{member(name)}:{value(text)}" for name, text in pairs) + "}"

    def render(self):
        """The bytes on the wire."""
        return self.render_rpc() if self.scheme == "rpc" else self.render_acs3()

    def body(self, pairs):
        if self.raw_body is not None:
            return self.raw_body
        text = {"none": "", "form": self.line(pairs), "json": self.json(pairs)}[self.kind]
        return text.encode("utf-8", "surrogatepass")

    def render_rpc(self):
        protocol = [("Action", self.action), ("Version", self.version), ("AccessKeyId", self.key[0]), ("SignatureMethod", "HMAC-SHA1"),
                    ("SignatureVersion", "1.0"), ("SignatureNonce", uuid.uuid4().hex), ("Timestamp", now())]
        place = "query" if self.kind == "none" else "body"
        self.pairs[place] += protocol
        signed = sorted(self.pairs["query"] + self.pairs["body"])
        canonical = "&".join(f"{encode(name)}={encode(value)}" for name, value in signed)
        text = f"{self.method}&%2F&{encode(canonical)}"
        mac = hmac.new((self.key[1] + "&").encode(), text.encode(), hashlib.sha1).digest()
        self.pairs[place].append(("Signature", base64.b64encode(mac).decode()))
        self.random.shuffle(self.pairs[place])
        headers = [("Host", self.host)] + self.headers
        return self.frame(headers, self.line(self.pairs["query"]), self.body(self.pairs["body"]))

    def render_acs3(self):
        body = self.body(self.pairs["body"])
        headers = [("host", self.host), ("x-acs-action", self.action_header), ("x-acs-version", self.version), ("x-acs-date", now()),
                   ("x-acs-signature-nonce", uuid.uuid4().hex), ("x-acs-content-sha256", hashlib.sha256(body).hexdigest())]
        if self.type is not None:
            headers.append(("content-type", self.type))
        headers += self.headers
        signed = sorted({name.lower(): value.strip() for name, value in headers}.items())
        names = ";".join(name for name, _ in signed)
        lines = "".join(f"{name}:{value}\n" for name, value in signed)
        query = "&".join(f"{encode(name)}={encode(value)}" for name, value in sorted(self.pairs["query"]))
        text = f"{self.method}\n{self.path}\n{query}\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(text.encode()).hexdigest()}"
        mac = hmac.new(self.key[1].encode(), text.encode(), hashlib.sha256).hexdigest()
        headers.append(("authorization", f"ACS3-HMAC-SHA256 Credential={self.key[0]},SignedHeaders={names},Signature={mac}"))
        return self.frame(headers, self.line(self.pairs["query"]), body, self.type is not None)

    def frame(self, headers, query, body, has_type=False):
        if self.type is not None and not has_type:
            headers.append(("content-type", self.type))
        target = f"{self.path}?{query}" if query or self.random.random() < 0.05 else self.path
        if self.random.random() < 0.05:
            target = self.random.choice([f"http://{self.host}", f"https://{self.host}", "http://other.example"]) + target
        chunked = body and self.random.random() < 0.3
        if self.random.random() < 0.03:
            odd = [("content-length", str(len(body))), ("content-length", "0"), ("transfer-encoding", "chunked"), ("transfer-encoding", "gzip"),
                   ("Content_Length", "0"), ("host", "other.example"), ("expect", "100-continue")]
            headers.append(self.random.choice(odd))
        if chunked:
            headers.append(("transfer-encoding", "chunked"))
            body = self.chunks(body)
        elif body or self.method != "GET":
            headers.append(("content-length", str(len(body))))
        head = f"{self.method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers)
        return (head + "\r\n").encode("utf-8", "surrogatepass") + body

    def chunks(self, body):
        framed = b""
        while body:
            size = self.random.randint(1, len(body))
            mark = self.random.choice(["", "", "", ";a=b", ";a", ' ', ";a= b", ";\x00", ";a=\"b\""])
            framed += f"{size:x}{mark}\r\n".encode() + body[:size] + b"\r\n"
            body = body[size:]
        return framed + b"0\r\n" + self.random.choice([b"", b"", b"x-sum: 1\r\n", b"x-acs-action: DeleteLoginProfile\r\n"]) + b"\r\n"


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def other(call):
    return call.random.choice(OTHER)


def add_twin(call):
    call.add(call.random.choice(TWINS), other(call))


def add_second_action(call):
    call.add("Action", call.random.choice([other(call), call.action]))


def add_action_in_body(call):
    call.add("Action", other(call), "body")


def add_odd_parameter(call):
    call.add(call.random.choice(NAMES), call.random.choice(VALUES))


def repeat_parameter(call):
    name = call.random.choice(NAMES[:10])
    call.add(name, "one")
    call.add(call.random.choice([name, name.lower(), name.upper()]), "two")


def add_reserved(call):
    call.add(call.random.choice(RESERVED), "1234567890123456")


def change_path(call):
    call.path = call.random.choice(PATHS)


def change_method(call):
    call.method = call.random.choice(METHODS)


def change_type(call):
    call.type = call.random.choice(TYPES)


def send_multipart(call):
    inner = f'--b\r\nContent-Disposition: form-data; name="Action"\r\n\r\n{other(call)}\r\n--b--\r\n'
    call.kind, call.type, call.raw_body = "form", "multipart/form-data; boundary=b", inner.encode()


def break_body(call):
    if call.kind == "json":
        rest = call.json(call.pairs["body"] or [("a", "b")])
        spoiled = ["\ufeff" + rest, rest + rest, rest[:-1] + ',"Action":"DeleteLoginProfile","Action":"ListUsers"}', f"[{rest}]", rest + " ",
                   rest.replace("{", '{"\\u0041ction":"DeleteLoginProfile",', 1), "// c\n" + rest, rest[:-1] + ",}"]
        call.raw_body = call.random.choice(spoiled).encode("utf-8", "surrogatepass")
    elif call.kind == "form":
        rest = call.line(call.pairs["body"])
        spoiled = [rest + ";Action=DeleteLoginProfile", rest + "\r\nAction=DeleteLoginProfile", rest + "&Action", rest + "&&", "?" + rest, rest + "&Action%3DDeleteLoginProfile",
                   rest + "&%41ction=DeleteLoginProfile", rest + "&=x", rest + "&a=%zz", rest + "&a=%ff", rest + "&\u0410ction=DeleteLoginProfile"]
        call.raw_body = call.random.choice(spoiled).encode("utf-8", "surrogatepass")


def sign_header(call):
    call.headers.append((call.random.choice(HEADERS), call.random.choice(["DeleteLoginProfile", "/admin", "1", "a, b", "gzip", "chunked"])))


def differ_in_header(call):
    call.action_header = call.random.choice([call.action.lower(), other(call), call.action + " ", call.action + "\u00e9", f"{call.action}, DeleteLoginProfile"])
    call.headers.append(("x-acs-action" if call.scheme == "rpc" else "x-acs-action2", call.action_header))


MUTATIONS = [add_twin, add_twin, add_second_action, add_action_in_body, add_odd_parameter, add_odd_parameter, add_odd_parameter, repeat_parameter,
             add_reserved, change_path, change_method, change_type, send_multipart, break_body, break_body, sign_header, sign_header, differ_in_header]


def generate(random, version, key, host):
    """A call with up to three mutations, its bytes, and what was done to it."""
    call = Call(random, version, key, host)
    for _ in range(random.choice([0, 1, 1, 1, 2, 2, 3])):
        mutation = random.choice(MUTATIONS)
        mutation(call)
        call.notes.append(mutation.__name__)
    return call.render(), call.notes
