"""What akgate must decide, from its documents alone, and cases to compare it with.

Standard library only. README.md describes the lines of JSON. Each rule names the document that it comes from.
"""

import argparse
import csv
import ipaddress
import json
import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCTS = {"2015-05-01": "RAM", "2019-08-15": "IMS", "2015-04-01": "STS", "2020-03-31": "ResourceManager"}
CHANGES = {"Mutate(Identity)", "Mutate(Credential)", "Mutate(Permission)"}


def read_csv(name):
    """The rows of a table of config/ without its comments."""
    with open(ROOT / "config" / name, encoding="utf-8") as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))


CATALOGUE = {
    (row["product"], row["version"], row["action"]): (row["effect"], row["sensitive"] == "yes")
    for row in read_csv("catalogue.csv")
}
STRICT = {(row["product"].lower(), row["version"], row["action"]) for row in read_csv("profile-strict.csv")}


# --- The operation -------------------------------------------------------------------------------------------------


class Operation:
    """What a call asks for: product, version, action, effect, and whether the read is sensitive."""

    def __init__(self, product, version, action):
        self.product, self.version, self.action = product, version, action
        if product in PRODUCTS.values():
            # ARCHITECTURE.md: an operation that is not listed is Unknown and is judged as a mutation.
            self.effect, self.sensitive = CATALOGUE.get((product, version, action), ("Unknown", False))
        else:
            # admin-api: no effect for a product whose operations are not catalogued.
            self.effect, self.sensitive = None, False
        listed = product.lower()
        self.in_strict = (listed, version, action) in STRICT or (listed, version, "*") in STRICT

    def forbidden(self, profile, widened):
        """Why a restriction refuses the operation under a profile; None if it does not."""
        if self.effect in CHANGES:
            return "change"
        if self.effect == "Disclose":
            return "disclosure"
        if self.effect == "Unknown":
            return "unknown"
        if widened and self.sensitive:
            return "sensitive-read"
        if profile == "strict" and self.in_strict:
            return "strict-read" if self.effect == "Read" else "strict"
        return None


def find_operation(call, others):
    """The operation of a call; None if no upstream serves it (faults.md: InvalidVersion)."""
    version, action = call["version"], call["action"]
    if version in PRODUCTS:
        return Operation(PRODUCTS[version], version, action)
    for other in others:
        if other["version"] == version and action in other["actions"]:
            return Operation(other["product"], version, action)
    return None


# --- The standing --------------------------------------------------------------------------------------------------


def is_bound(restriction, sessions):
    """Whether a restriction holds for the last of the sessions that descend from its key (none: the key itself).

    ARCHITECTURE.md: a lift frees the key; a session that was asked for before the lift stays restricted. ADR 6: or in
    another history than the lift. ADR 11: an undone restriction frees the sessions too.
    """
    if restriction["state"] != "Lifted":
        return True
    if restriction["undone"]:
        return False
    lift = restriction["lifted_at"]
    return any(
        asked["history"] != lift["history"] or asked["revision"] < lift["revision"]
        for asked in (session["asked_at"] for session in sessions)
    )


def find_bound(chain):
    """Every restriction that holds for the signer, the nearest first, with the credential that it is on."""
    for place, credential in enumerate(chain):
        for restriction in credential["restrictions"] or []:
            if is_bound(restriction, chain[:place]):
                yield credential, restriction


# --- The policy ----------------------------------------------------------------------------------------------------


def find_mode(case):
    """The mode in force: ADR 13 (operators' switch overrides the configured one), akgate.toml (`enforce_from`)."""
    policy = case["policy"]
    mode = policy["switched"] or policy["mode"]
    if mode == "enforce" and policy["enforce_from"] is not None and case["now"] < policy["enforce_from"]:
        return "shadow"
    return mode


def find_profile(case, *credentials):
    """The stricter profile of the credentials' accounts; an account without one has the policy's."""
    accounts = (case["accounts"][credential["account"]] for credential in credentials)
    profiles = {account["profile"] or case["policy"]["profile"] for account in accounts}
    return "strict" if "strict" in profiles else "mutations"


def is_self_remedy(case, operation, signer):
    """Whether a key disables or deletes itself, and may: `policy.self_remedy`, or what its account says."""
    allowed = case["accounts"][signer["account"]]["self_remedy"]
    if allowed is None:
        allowed = case["policy"]["self_remedy"]
    parameters = case["call"]["parameters"]
    if not allowed or signer["kind"] != "key" or parameters.get("UserAccessKeyId") != signer["id"]:
        return False
    if operation.product not in ("RAM", "IMS"):
        return False
    return operation.action == "DeleteAccessKey" or (
        operation.action == "UpdateAccessKey" and parameters.get("Status") == "Inactive"
    )


def unmap(address):
    """An IPv4 address where an IPv6 address maps one."""
    return getattr(address, "ipv4_mapped", None) or address


def covers(network, source):
    """Whether a network contains an address; IPv4 in IPv6 counts as IPv4."""
    network = ipaddress.ip_network(network, strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        network = ipaddress.ip_network((mapped, network.prefixlen - 96), strict=False)
    return unmap(ipaddress.ip_address(source)) in network


def is_excepted(case, operation, restriction):
    """Whether an exception from the restriction allows the call (ADR 13)."""
    source = case["call"]["source"]
    name = (operation.product.lower(), operation.action)
    for exception in restriction["exceptions"]:
        named = any(
            (product.lower(), action) == name
            for product, action in (listed.split(":") for listed in exception["operations"])
        )
        if named and case["now"] < exception["expires"] and source is not None:
            if any(covers(network, source) for network in exception["networks"]):
                return True
    return False


def needs_lease(case, operation, chain, is_restricted):
    """Whether news that a node without a lease has not heard could refuse the read (ADR 15)."""
    if operation.effect != "Read":
        return False
    if case["policy"]["refuse_unleased_reads"]:
        return True
    if operation.in_strict and find_profile(case, *chain) == "strict":
        return True
    return operation.sensitive and is_restricted


# --- The decision --------------------------------------------------------------------------------------------------


def decide(case):
    """The answer to a case: what happens to the call, and why."""
    chain, call, policy = case["chain"], case["call"], case["policy"]
    if not chain:
        # akgate.toml: STS operations that may be called without an AccessKey.
        if PRODUCTS.get(call["version"]) == "STS" and call["action"] in policy["anonymous"]:
            return answer(case, "allow", "anonymous")
        return answer(case, "fault", "MissingAccessKeyId")
    operation = find_operation(call, policy["others"])
    if operation is None:
        return answer(case, "fault", "InvalidVersion")

    mode, signer = find_mode(case), chain[0]
    is_unknown = any(credential["restrictions"] is None for credential in chain)
    bound = list(find_bound(chain))
    refusals = [
        (reason, credential, restriction)
        for credential, restriction in bound
        if (reason := operation.forbidden(find_profile(case, credential, signer), restriction["widened"]))
    ]

    grounds = None
    if mode == "off":
        grounds = "off"
    elif refusals:
        if is_self_remedy(case, operation, signer):
            grounds = "self-remedy"
        elif len(chain) == 1 and signer["kind"] == "key" and all(
            is_excepted(case, operation, restriction) for _, _, restriction in refusals
        ):
            grounds = "excepted"
        elif mode == "shadow":
            grounds = "withheld"
        else:
            reason, credential, _ = refusals[0]
            return answer(case, "refuse", reason, credential["id"])
    elif is_unknown:
        # ARCHITECTURE.md: restricted keys are refused from memory, reads by cached keys pass; every other call gets 503.
        return answer(case, "unavailable", "unknown")
    else:
        grounds = "harmless" if bound else "clear"

    if not case["lease"] and needs_lease(case, operation, chain, bool(bound)):
        return answer(case, "unavailable", "lease")
    return answer(case, "allow", grounds)


def answer(case, decision, grounds, restricted=None):
    """One line of output."""
    return {"id": case["id"], "decision": decision, "grounds": grounds, "restricted": restricted}


# --- The cases -----------------------------------------------------------------------------------------------------

ACCOUNTS = ["5123456789012345", "5987654321098765"]
NOW = 1_800_000_000
OTHERS = [
    {"product": "Ecs", "version": "2014-05-26", "actions": ["RunInstances", "DescribeInstances", "runinstances"]},
    {"product": "ecs", "version": "2014-05-27", "actions": ["RunInstances"]},
    {"product": "Slb", "version": "2014-05-26", "actions": ["RunCommand", "DeleteInstance"]},
    {"product": "RDS", "version": "2014-08-15", "actions": ["DescribeBackups", "DescribeDBInstances", "DeleteBackup"]},
    {"product": "rds", "version": "2014-08-15", "actions": ["CreateAccount"]},
    {"product": "Kms", "version": "2016-01-20", "actions": ["GetSecretValue", "ListKeys"]},
    {"product": "RAM", "version": "2014-02-14", "actions": ["ListUsers", "CreateUser"]},
]
UNKNOWN_ACTIONS = ["ListEverything", "GetUsers", "CreateUserV2", "ListUser", "Get", "*", "AssumeRoleWithOAuth", "DescribeUsers"]
REMEDIES = ["UpdateAccessKey", "DeleteAccessKey", "DeleteAccessKeyInRecycleBin", "CreateAccessKey"]
BY_EFFECT = {}
for (_, *_operation), (_effect, _sensitive) in CATALOGUE.items():
    BY_EFFECT.setdefault((_effect, _sensitive), []).append(tuple(_operation))
EFFECTS = sorted(BY_EFFECT)
ADDRESSES = ["192.0.2.1", "192.0.2.254", "192.0.3.1", "198.51.100.7", "::ffff:192.0.2.1", "::ffff:198.51.100.7"]
ADDRESSES += ["2001:db8::1", "2001:db8:1::1", "2001:db9::1", "::1", "::192.0.2.1", "::ffff:0:192.0.2.1", "0.0.0.0", None]
NETWORKS = ["192.0.2.0/24", "192.0.2.77/24", "192.0.2.1", "192.0.2.0/31", "192.0.0.0/16", "198.51.100.0/25", "2001:db8::/32"]
NETWORKS += ["2001:db8::/48", "2001:db8::1", "::/32", "::ffff:c000:200/120", "::ffff:c000:201", "::ffff:c633:0/112", "::/96"]


class Generator:
    """Cases from a seed: the same seed, the same cases."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.made = 0

    def often(self, chance):
        """True in the given share of the draws."""
        return self.random.random() < chance

    def case(self):
        """The next case."""
        draw = self.random
        call, names_self = self.call()
        chain = self.chain(call)
        if chain and names_self:
            named = draw.choice(chain) if self.often(0.2) else chain[0]
            call["parameters"]["UserAccessKeyId"] = named["id"]
        self.made += 1
        return {
            "id": self.made,
            "now": NOW,
            "lease": self.often(0.6),
            "policy": {
                "mode": draw.choices(["enforce", "shadow", "off"], [8, 1, 1])[0],
                "switched": draw.choices([None, "enforce", "shadow", "off"], [8, 2, 1, 1])[0],
                "enforce_from": draw.choices([None, NOW - 1, NOW, NOW + 1, NOW + 86_400], [8, 1, 1, 1, 1])[0],
                "profile": draw.choice(["mutations", "strict"]),
                "self_remedy": self.often(0.5),
                "refuse_unleased_reads": self.often(0.15),
                "anonymous": [name for name in ("AssumeRoleWithSAML", "AssumeRoleWithOIDC") if self.often(0.5)],
                "others": OTHERS,
            },
            "accounts": {
                account: {
                    "profile": draw.choice([None, "mutations", "strict"]),
                    "self_remedy": draw.choice([None, True, False]),
                }
                for account in ACCOUNTS
            },
            "call": call,
            "chain": chain,
        }

    def call(self):
        """What is called, and whether its parameters name the AccessKey that signs."""
        draw = self.random
        parameters, names_self = {}, False
        kind = draw.choices(["catalogued", "remedy", "unknown", "respelled", "other", "unserved", "federated"], [50, 12, 6, 6, 16, 3, 7])[0]
        if kind == "catalogued":
            version, action = draw.choice(BY_EFFECT[draw.choice(EFFECTS)])
        elif kind == "remedy":
            version, action = draw.choice(["2015-05-01", "2019-08-15", "2015-05-01", "2019-08-15", "2015-04-01"]), draw.choice(REMEDIES)
            if self.often(0.9):
                names_self = True
            elif self.often(0.5):
                parameters["UserAccessKeyId"] = "LTAI5tSomebodyElse"
            if self.often(0.8):
                parameters["Status"] = draw.choices(["Inactive", "Active", "inactive", "Inactive ", ""], [8, 2, 1, 1, 1])[0]
            if self.often(0.3):
                parameters[draw.choice(["UserName", "UserPrincipalName"])] = draw.choice(["alice", "bob@example.com"])
        elif kind == "unknown":
            version, action = draw.choice(list(PRODUCTS)), draw.choice(UNKNOWN_ACTIONS)
        elif kind == "respelled":
            _, version, action = draw.choice(list(CATALOGUE))
            action = draw.choice([action.lower(), action.upper(), action[0].lower() + action[1:], action + "s", action[:-1]])
        elif kind == "other":
            other = draw.choice(OTHERS)
            version, action = other["version"], draw.choice(other["actions"])
        elif kind == "unserved":
            version, action = draw.choice([("2015-05-02", "ListUsers"), ("2014-05-26", "StartInstance"), ("2014-05-28", "RunInstances")])
        else:
            version, action = "2015-04-01", draw.choice(["AssumeRoleWithSAML", "AssumeRoleWithOIDC", "AssumeRole"])
        if kind != "remedy" and self.often(0.1):
            parameters["UserName"] = "alice"
        return {"version": version, "action": action, "parameters": parameters, "source": draw.choice(ADDRESSES)}, names_self

    def chain(self, call):
        """The signing credential and its ancestors, the nearest first; empty for a call without a signature."""
        draw = self.random
        if self.often(0.3) if call["action"].startswith("AssumeRoleWith") else self.often(0.01):
            return []
        ancestors = draw.choices([0, 1, 2, 3, 4], [50, 22, 11, 9, 8])[0]
        is_federated = self.often(0.1)
        # Sessions are asked for one after another, from the root; a new history may begin at a lower revision.
        history, revision = 0, draw.randint(1, 9)
        chain = []
        for place in range(ancestors + 1):
            is_key = place == 0 and not is_federated
            if place and self.often(0.12):
                history, revision = history + 1, draw.randint(1, 9)
            revision += draw.choice([0, 0, 1, 2, 5])
            chain.insert(0, {
                "id": f"LTAI5tFake{draw.randrange(10**6):06}" if is_key else f"STS.NFake{place}{draw.randrange(10**6):06}",
                "kind": "key" if is_key else "session",
                "account": draw.choice(ACCOUNTS),
                "asked_at": None if is_key else {"history": f"h{history}", "revision": revision},
                "restrictions": self.restrictions(call, is_key),
            })
        return chain

    def restrictions(self, call, is_key):
        """The restrictions of a credential, oldest first: all but the last are lifted; None if nobody knows."""
        draw = self.random
        if self.often(0.04):
            return None
        if not is_key and self.often(0.93):
            return []
        made = [self.restriction(call, "Lifted") for _ in range(draw.choices([0, 1, 2], [70, 22, 8])[0])]
        made.sort(key=lambda lifted: (lifted["lifted_at"]["history"], lifted["lifted_at"]["revision"]))
        if self.often(0.55):
            made.append(self.restriction(call, draw.choice(["Imposed", "Confirmed"])))
        return made

    def restriction(self, call, state):
        """A restriction in a state."""
        draw = self.random
        is_lifted = state == "Lifted"
        return {
            "state": state,
            "widened": self.often(0.4),
            "lifted_at": {"history": f"h{draw.choices([0, 1, 2], [8, 3, 1])[0]}", "revision": draw.randint(1, 20)} if is_lifted else None,
            "undone": is_lifted and self.often(0.2),
            "tombstone": is_lifted and self.often(0.4),
            "exceptions": [self.exception(call) for _ in range(draw.choices([0, 1, 2], [50, 35, 15])[0])],
        }

    def exception(self, call):
        """An exception, most often for the operation that is called."""
        draw = self.random
        product = PRODUCTS.get(call["version"]) or next(
            (other["product"] for other in OTHERS if other["version"] == call["version"] and call["action"] in other["actions"]), "Ecs")
        product = draw.choices([product, product.lower(), product.upper(), draw.choice(list(PRODUCTS.values()))], [12, 1, 1, 2])[0]
        action = draw.choices([call["action"], call["action"].lower(), "CreateAccessKey", "ListUsers"], [12, 1, 1, 1])[0]
        return {
            "operations": [f"{product}:{action.replace('*', 'All')}"] + (["RAM:CreateAccessKey"] if self.often(0.2) else []),
            "networks": self.networks(call["source"]),
            "expires": NOW + draw.choices([3_600, 1, 0, -1, -3_600], [8, 1, 1, 1, 1])[0],
        }

    def networks(self, source):
        """Some networks, most often with one that contains the caller."""
        near = [network for network in NETWORKS if source and covers(network, source)]
        return self.random.sample(NETWORKS, self.random.choice([1, 2])) + (near[:1] if self.often(0.5) else [])


# --- The commands --------------------------------------------------------------------------------------------------


def generate(arguments):
    """Prints cases."""
    generator = Generator(arguments.seed)
    for _ in range(arguments.cases):
        print(json.dumps(generator.case(), separators=(",", ":")))


def answer_cases(_):
    """Reads cases, prints answers."""
    for line in sys.stdin:
        print(json.dumps(decide(json.loads(line)), separators=(",", ":")))


def compare(arguments):
    """Gives cases to a program and compares its answers; exit status 1 if one differs."""
    program = subprocess.Popen(arguments.program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def feed():
        generator = Generator(arguments.seed)
        for _ in range(arguments.cases):
            program.stdin.write(json.dumps(generator.case(), separators=(",", ":")) + "\n")
        program.stdin.close()

    threading.Thread(target=feed, daemon=True).start()
    generator, seen, different = Generator(arguments.seed), Counter(), 0
    for line in program.stdout:
        case = generator.case()
        expected, given = decide(case), json.loads(line)
        seen[expected["decision"], expected["grounds"]] += 1
        if given != expected:
            different += 1
            if different <= arguments.show:
                print(json.dumps({"case": case, "oracle": expected, "akgate": given}), file=sys.stderr)
    compared = sum(seen.values())
    for (decision, grounds), count in sorted(seen.items()):
        print(f"{count:>9}  {decision:<11}  {grounds}")
    print(f"seed {arguments.seed}: {compared} decisions, {different} differences")
    return 0 if program.wait() == 0 and compared == arguments.cases and different == 0 else 1


def main():
    """Runs the command that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    for name, run in (("generate", generate), ("answer", answer_cases), ("compare", compare)):
        command = commands.add_parser(name, help=run.__doc__)
        command.set_defaults(run=run)
        if run is not answer_cases:
            command.add_argument("--seed", type=int, default=1)
            command.add_argument("--cases", type=int, default=20_000)
        if run is compare:
            command.add_argument("--show", type=int, default=5, help="how many differences are printed")
            command.add_argument("program", nargs="+", help="reads cases, prints answers")
    arguments = parser.parse_args()
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
