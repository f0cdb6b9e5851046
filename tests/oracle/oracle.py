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
OTHER_EFFECTS = {
    (row["product"].lower(), row["version"], row["action"]): row["effect"] for row in read_csv("effects.csv")
}
STRICT = {(row["product"].lower(), row["version"], row["action"]) for row in read_csv("profile-strict.csv")}


# --- The operation -------------------------------------------------------------------------------------------------


class Operation:
    """What a call asks for: product, version, action, effect, and whether the read is sensitive."""

    def __init__(self, product, version, action):
        self.product, self.version, self.action = product, version, action
        if product in PRODUCTS.values():
            # ARCHITECTURE.md: an operation that is not listed is Unknown and judged as a mutation.
            self.effect, self.sensitive = CATALOGUE.get((product, version, action), ("Unknown", False))
        else:
            # ARCHITECTURE.md: effects.csv gives operations of other products their effects; of the rest nobody knows.
            self.effect, self.sensitive = OTHER_EFFECTS.get((product.lower(), version, action)), False
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
        if profile == "strict" and self.in_strict:
            return "strict-read" if self.effect == "Read" else "listed"
        if widened and self.sensitive:
            return "sensitive-read"
        return None


def find_operation(call, others):
    """The operation of a call, or the code of the fault if no upstream serves it (faults.md)."""
    version, action = call["version"], call["action"]
    if version in PRODUCTS:
        return Operation(PRODUCTS[version], version, action)
    # akgate.toml: `upstreams.other` is for other products; the four have one version each.
    served = [one for one in others if one["version"] == version and not is_catalogued(one["product"])]
    for other in served:
        if action in other["actions"]:
            return Operation(other["product"], version, action)
    return "InvalidAction.NotFound" if served else "InvalidVersion"


def is_catalogued(product):
    """Whether a product code is one of the four; codes are compared without regard to case."""
    return product.lower() in {one.lower() for one in PRODUCTS.values()}


# --- The standing --------------------------------------------------------------------------------------------------


def is_earlier(session, lifted):
    """Whether a session was asked for before a restriction was lifted, or in another history (ADR 6)."""
    asked, lift = session["asked_at"], lifted["lifted_at"]
    return asked["history"] != lift["history"] or asked["revision"] < lift["revision"]


def find_bound(chain):
    """Every restriction that holds for the signer, with the credential that it is on."""
    # Each with the session that it asked for; the signer has asked for none.
    for session, credential in zip([None, *chain], chain):
        # ADR 11: an undone restriction is as if it had never been.
        restrictions = [one for one in credential["restrictions"] or [] if not one["undone"]]
        lifted = [one for one in restrictions if one["state"] == "Lifted"]
        yield from ((credential, one) for one in restrictions if one not in lifted)
        # ARCHITECTURE.md: a lift frees the key; a session that was asked for before the lift stays restricted. ADR 6:
        # the last lift counts and, for sensitive reads, the last lift of a widened restriction.
        if session and lifted and is_earlier(session, lifted[-1]):
            yield credential, lifted[-1]
            widened = [one for one in lifted if one["widened"]][-1:]
            yield from ((credential, one) for one in widened if is_earlier(session, one))


# --- The policy ----------------------------------------------------------------------------------------------------


def find_mode(case):
    """The mode in force: ADR 13 (operators' switch overrides the configured one), akgate.toml (`enforce_from`)."""
    policy = case["policy"]
    mode = policy["switched"] or policy["mode"]
    if mode == "enforce" and policy["enforce_from"] is not None and case["now"] < policy["enforce_from"]:
        return "shadow"
    return mode


def find_profile(case):
    """The strictest profile of the accounts in the chain (operators.md); an account without one has the policy's."""
    accounts = (case["accounts"][credential["account"]] for credential in case["chain"])
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


def covers(network, source):
    """Whether a network contains an address (ADR 13: what IPv6 maps of IPv4 counts as IPv4)."""
    network, address = ipaddress.ip_network(network, strict=False), ipaddress.ip_address(source)
    if network.version == 6 and network.prefixlen >= 96 and network.network_address.ipv4_mapped:
        network = ipaddress.ip_network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return (getattr(address, "ipv4_mapped", None) or address) in network


def is_named(operation, product, action):
    """Whether an exception's operation is this one (ADR 13: as written, the four products in upper or lower case)."""
    is_same = operation.product.lower() == product.lower() if is_catalogued(product) else operation.product == product
    return is_same and operation.action == action


def is_excepted(case, operation, restriction):
    """Whether an exception from the restriction allows the call (ADR 13)."""
    source = case["call"]["source"]
    for exception in restriction["exceptions"]:
        named = any(is_named(operation, *name.split(":")) for name in exception["operations"])
        if named and case["now"] < exception["expires"] and source is not None:
            if any(covers(network, source) for network in exception["networks"]):
                return True
    return False


def needs_lease(case, operation, is_restricted):
    """Whether news that a node without a lease has not heard could refuse the read (ADR 15)."""
    if operation.effect != "Read":
        return False
    if case["policy"]["refuse_unleased_reads"]:
        return True
    if operation.in_strict and find_profile(case) == "strict":
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
    if isinstance(operation, str):
        return answer(case, "fault", operation)

    mode, signer = find_mode(case), chain[0]
    if mode == "off":
        return answer(case, "allow", "off")
    profile, bound = find_profile(case), list(find_bound(chain))
    refusals = [
        (reason, credential, restriction)
        for credential, restriction in bound
        if (reason := operation.forbidden(profile, restriction["widened"]))
    ]
    if not refusals:
        grounds = "harmless" if bound else "clear"
    elif is_self_remedy(case, operation, signer):
        grounds = "self-remedy"
    elif signer["kind"] == "key" and all(is_excepted(case, operation, one) for _, _, one in refusals):
        grounds = "excepted"
    elif mode == "shadow":
        return answer(case, "allow", "withheld")
    else:
        return answer(case, "refuse", refusals[0][0], {credential["id"] for _, credential, _ in refusals})

    # ARCHITECTURE.md: restricted keys are refused from memory, reads by cached keys pass; every other call gets 503.
    is_unknown = any(credential["restrictions"] is None for credential in chain)
    if is_unknown or not case["lease"] and needs_lease(case, operation, bool(bound)):
        # watching.md: a call that cannot be judged passes, and is recorded.
        return answer(case, "allow", "withheld") if mode == "shadow" else answer(case, "unavailable", "standing")
    return answer(case, "allow", grounds)


def answer(case, decision, grounds, restricted=()):
    """One line of output."""
    return {"id": case["id"], "decision": decision, "grounds": grounds, "restricted": sorted(restricted)}


# --- The cases -----------------------------------------------------------------------------------------------------

ACCOUNTS = ["5123456789012345", "5987654321098765"]
NOW = 1_800_000_000
OTHERS = [
    {"product": "Ecs", "version": "2014-05-26", "actions": ["RunInstances", "DescribeInstances", "runinstances"]},
    {"product": "ECS", "version": "2014-05-26", "actions": ["AttachInstanceRamRole", "DescribeInstanceVncUrl"]},
    {"product": "Actiontrail", "version": "2020-07-06", "actions": ["DescribeTrails", "CreateTrail"]},
    {"product": "ecs", "version": "2014-05-27", "actions": ["RunInstances"]},
    {"product": "Slb", "version": "2014-05-26", "actions": ["RunCommand", "DeleteInstance"]},
    {"product": "RDS", "version": "2014-08-15", "actions": ["DescribeBackups", "DescribeDBInstances", "DeleteBackup"]},
    {"product": "rds", "version": "2014-08-15", "actions": ["CreateAccount"]},
    {"product": "Kms", "version": "2016-01-20", "actions": ["GetSecretValue", "ListKeys"]},
    {"product": "ram", "version": "2014-02-14", "actions": ["ListUsers", "CreateUser"]},
]
UNKNOWN_ACTIONS = ["ListEverything", "GetUsers", "CreateUserV2", "ListUser", "Get", "List.Users", "AssumeRoleWithOAuth"]
STATUSES = ["Inactive", "Active", "inactive", "Inactive ", ""]
REMEDIES = ["UpdateAccessKey", "DeleteAccessKey", "DeleteAccessKeyInRecycleBin", "CreateAccessKey"]
BY_EFFECT = {}
for (_, *_operation), (_effect, _sensitive) in CATALOGUE.items():
    BY_EFFECT.setdefault((_effect, _sensitive), []).append(tuple(_operation))
EFFECTS = sorted(BY_EFFECT)
ADDRESSES = ["192.0.2.1", "192.0.2.254", "192.0.3.1", "198.51.100.7", "::ffff:192.0.2.1", "::ffff:198.51.100.7"]
ADDRESSES += ["2001:db8::1", "2001:db8:1::1", "2001:db9::1", "::1", "::192.0.2.1", "::ffff:0:c000:201", "0.0.0.0", None]
NETWORKS = ["192.0.2.0/24", "192.0.2.77/24", "192.0.2.1/32", "192.0.2.0/31", "192.0.0.0/16", "198.51.100.0/25"]
NETWORKS += ["2001:db8::/32", "2001:db8::/48", "2001:db8::1/128", "::/32", "::/96"]
NETWORKS += ["::ffff:c000:200/120", "::ffff:c000:201/128", "::ffff:c633:0/112"]
CALLS = {"catalogued": 50, "remedy": 12, "unknown": 6, "respelled": 6, "other": 16, "unserved": 3, "federated": 7}
UNSERVED = [("2015-05-02", "ListUsers"), ("2014-05-26", "StartInstance"), ("2014-05-28", "RunInstances")]


# A failover begins a new history at each of these revisions.
FORKS = [8, 15]
LAST_REVISION = 22


def position(revision):
    """Where a revision of today's registry stands."""
    return {"history": sum(fork <= revision for fork in FORKS), "revision": revision}


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
        kind = draw.choices(list(CALLS), CALLS.values())[0]
        if kind == "catalogued":
            version, action = draw.choice(BY_EFFECT[draw.choice(EFFECTS)])
        elif kind == "remedy":
            version = draw.choices(["2015-05-01", "2019-08-15", "2015-04-01"], [2, 2, 1])[0]
            action = draw.choices(REMEDIES, [4, 3, 1, 1])[0]
            if self.often(0.9):
                names_self = True
            elif self.often(0.5):
                parameters["UserAccessKeyId"] = "LTAI5tSomebodyElse"
            if self.often(0.8):
                parameters["Status"] = draw.choices(STATUSES, [8, 2, 1, 1, 1])[0]
            if self.often(0.3):
                parameters[draw.choice(["UserName", "UserPrincipalName"])] = draw.choice(["alice", "bob@example.com"])
        elif kind == "unknown":
            version, action = draw.choice(list(PRODUCTS)), draw.choice(UNKNOWN_ACTIONS)
        elif kind == "respelled":
            _, version, action = draw.choice(list(CATALOGUE))
            camel = action[0].lower() + action[1:]
            action = draw.choice([action.lower(), action.upper(), camel, action + "s", action[:-1]])
        elif kind == "other":
            other = draw.choice(OTHERS)
            version, action = other["version"], draw.choice(other["actions"])
        elif kind == "unserved":
            version, action = draw.choice(UNSERVED)
        else:
            version, action = "2015-04-01", draw.choice(["AssumeRoleWithSAML", "AssumeRoleWithOIDC", "AssumeRole"])
        if kind != "remedy" and self.often(0.1):
            parameters["UserName"] = "alice"
        source = draw.choice(ADDRESSES)
        return {"version": version, "action": action, "parameters": parameters, "source": source}, names_self

    def chain(self, call):
        """The signing credential and its ancestors, the nearest first; empty for a call without a signature."""
        draw = self.random
        if self.often(0.3) if call["action"].startswith("AssumeRoleWith") else self.often(0.01):
            return []
        ancestors = draw.choices([0, 1, 2, 3, 4], [50, 22, 11, 9, 8])[0]
        is_federated = self.often(0.1)
        # Sessions are asked for one after another, from the root.
        revision = draw.randint(1, LAST_REVISION)
        chain = []
        for place in range(ancestors + 1):
            is_key = place == 0 and not is_federated
            revision = min(LAST_REVISION, revision + draw.choice([0, 0, 1, 2, 5]))
            asked_at = position(revision)
            if asked_at["history"] and self.often(0.1):
                # Asked for by an intent that a failover has lost: at a revision that the next history has again.
                asked_at["history"] -= 1
            chain.insert(0, {
                "id": ("LTAI5tFake" if is_key else "STS.NFake") + f"{place}{draw.randrange(10**6):06}",
                "kind": "key" if is_key else "session",
                "account": draw.choice(ACCOUNTS),
                "asked_at": None if is_key else asked_at,
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
        lifts = sorted(draw.sample(range(1, LAST_REVISION), draw.choices([0, 1, 2, 3], [60, 24, 12, 4])[0]))
        made = [self.restriction(call, "Lifted", lifted) for lifted in lifts]
        if self.often(0.55):
            made.append(self.restriction(call, draw.choice(["Imposed", "Confirmed"])))
        return made

    def restriction(self, call, state, lifted=None):
        """A restriction in a state, lifted at a revision if it is."""
        draw = self.random
        is_lifted = lifted is not None
        return {
            "state": state,
            "widened": self.often(0.4),
            "lifted_at": position(lifted) if lifted else None,
            "undone": is_lifted and self.often(0.2),
            "tombstone": is_lifted and self.often(0.4),
            "exceptions": [self.exception(call) for _ in range(draw.choices([0, 1, 2], [50, 35, 15])[0])],
        }

    def exception(self, call):
        """An exception, most often for the operation that is called."""
        draw = self.random
        called = find_operation(call, OTHERS)
        product = "Ecs" if isinstance(called, str) else called.product
        another = draw.choice(list(PRODUCTS.values()))
        product = draw.choices([product, product.lower(), product.upper(), another], [12, 1, 1, 2])[0]
        # An exception cannot name an action with a dot.
        action = call["action"].replace(".", "")
        action = draw.choices([action, action.lower(), "CreateAccessKey", "ListUsers"], [12, 1, 1, 1])[0]
        return {
            "operations": [f"{product}:{action}"] + (["RAM:CreateAccessKey"] if self.often(0.2) else []),
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
        # Of several restrictions that refuse, akgate names one.
        named = set(given.pop("restricted"))
        is_named = named <= set(expected["restricted"]) and bool(named) == bool(expected["restricted"])
        if given != {member: expected[member] for member in given} or not is_named:
            given["restricted"] = sorted(named)
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
