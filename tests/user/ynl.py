#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own client, YNL's command line, speaks every command of the specification.

It is the one of the kernel source that NF_EDGE_LINUX names; the specification is ours. What
the kernel says of its policies (CTRL_CMD_GETPOLICY) is what the specification says.
"""

import contextlib
import io
import json
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import lab  # noqa: E402
from genl import PATH, Spec  # noqa: E402
from tap import Tap  # noqa: E402

CLI = os.path.join(os.environ.get("NF_EDGE_LINUX", ""), "tools/net/ynl/pyynl/cli.py")
OPTIONS = ["--spec", PATH, "--no-schema", "--output-json"]
PARTNER = {"address": "198.51.100.0", "prefix-len": 24, "groups": ["pic", "xmpp"]}
ACCESS = {"role": "access", "address": "203.0.113.10"}

spoken = set()


def ynl(*words):
    """(exit status, what it prints) of the command line, in this process: a new one costs seconds."""
    spoken.update(words[at + 1] for at, word in enumerate(words)
                  if word in ("--do", "--dump", "--multi"))
    out, status = io.StringIO(), 0
    sys.argv = [CLI, *OPTIONS, *words]
    with contextlib.redirect_stdout(out):
        try:
            exec(program, {"__name__": "__main__", "__file__": CLI})  # pylint: disable=exec-used
        except SystemExit as end:
            status = end.code or 0
        except Exception as trouble:  # pylint: disable=broad-except
            status, _ = 70, print(f"{type(trouble).__name__}: {trouble}")
    return status, out.getvalue().strip()


def ask(kind, name, attributes=None):
    words = [f"--{kind}", name] + (["--json", json.dumps(attributes)] if attributes else [])
    status, out = ynl(*words)
    return status, json.loads(out) if not status else out


def answers(name, kind, op, attributes, right):
    status, answer = ask(kind, op, attributes)
    tap.check(name, status == 0 and right(answer), f"exit status {status}", answer)


def refuses(name, op, attributes, sentence, bad):
    """Exit status 1, the sentence first, and the attribute to blame."""
    status, answer = ask("do", op, attributes)
    tap.check(name, status == 1 and f"Netlink error: {sentence}: " in answer
              and (f"'bad-attr': '{bad}'}}" in answer if bad else "bad-attr" not in answer),
              f"wanted: {sentence} ({bad})", f"exit status {status}", answer)


def nothing(answer):
    return answer is None


def check_commands():
    answers("status", "do", "status-get", None,
            lambda answer: answer["mode"] == "enforce" and answer["generation"] == 1
            and len(answer["rtp-ports"]) == 2 * spec.constants["port-map-bytes"])
    answers("settings", "do", "status-set",
            {"mode": "audit", "unlisted": "pass", "rtp-match": "either", "rtp-ports": "00ff" * 4096},
            nothing)
    answers("settings hold", "do", "status-get", None,
            lambda answer: (answer["mode"], answer["unlisted"], answer["rtp-match"],
                            answer["rtp-ports"][:8]) == ("audit", "pass", "either", "00ff00ff"))
    answers("an Edge address", "do", "interface-add", {**ACCESS, "dev": "ext0"}, nothing)
    answers("another", "do", "interface-add", {"role": "av", "address": "2001:db8::1"}, nothing)
    answers("Edge addresses", "dump", "interface-get", None,
            lambda answer: answer == [{**ACCESS, "dev": "ext0"},
                                      {"role": "av", "address": "2001:db8::1"}])
    answers("Edge addresses of a role", "dump", "interface-get", {"role": "av"},
            lambda answer: answer == [{"role": "av", "address": "2001:db8::1"}])
    answers("an Edge address goes", "do", "interface-del", ACCESS, nothing)
    answers("partners, two in one message", "do", "partner-add",
            {"entry": [{**PARTNER, "name": "skype"},
                       {"address": "2001:db8:1::", "prefix-len": 48, "groups": ["federation"],
                        "domain": "contoso.com"}]},
            nothing)
    answers("partners", "dump", "partner-get", None,
            lambda answer: all(one.pop("idle") < 1000 for one in answer) and
            answer == [{**PARTNER, "name": "skype", "packets": 0},
                       {"address": "2001:db8:1::", "prefix-len": 48, "groups": ["federation"], "domain": "contoso.com", "packets": 0}])
    answers("one comes, one leaves", "do", "partner-add",
            {"entry": [{**PARTNER, "groups": ["xmpp"], "domain": "a.example"}, {**PARTNER, "domain": "a.example", "leaves": True}]}, nothing)
    answers("what is blocked", "do", "block-add",
            {"entry": [{"address": "192.0.2.0", "prefix-len": 24, "name": "fraud", "until": 4102444800},
                       {"address": "2001:db8:66::1", "prefix-len": 128}]}, nothing)
    answers("blocks", "dump", "block-get", None,
            lambda answer: answer == [{"address": "192.0.2.0", "prefix-len": 24, "name": "fraud", "until": 4102444800},
                                      {"address": "2001:db8:66::1", "prefix-len": 128}])
    answers("one goes", "do", "block-del", {"entry": [{"address": "192.0.2.0", "prefix-len": 24}]}, nothing)
    answers("all go", "do", "block-flush", None, nothing)
    answers("undone", "do", "undo", None, nothing)
    answers("blocks that cover an address", "dump", "block-get", {"address": "2001:db8:66::1"},
            lambda answer: answer == [{"address": "2001:db8:66::1", "prefix-len": 128}])
    answers("undone, it goes again", "do", "undo", None, nothing)
    answers("partners by domain", "dump", "partner-get", {"domain": ""},
            lambda answer: [each["address"] for each in answer] == ["2001:db8:1::"])
    answers("partners by name, group and address", "dump", "partner-get",
            {"name": "skype", "groups": ["pic"], "address": "198.51.100.9", "idle": 0},
            lambda answer: [each["address"] for each in answer] == ["198.51.100.0"])
    answers("rows", "do", "rule-set",
            {"entry": [{"row": "xmpp-in", "enabled": 0}, {"row": "av-rtp-out", "peers": "listed"}]},
            nothing)
    answers("rows hold", "dump", "rule-get", None,
            lambda answer: [each["row"] for each in answer] == list(spec.enums["row"])
            and [each["row"] for each in answer if not each["enabled"]] == ["xmpp-in"])
    answers("reasons", "dump", "drop-get", None,
            lambda answer: [each["reason"] for each in answer] == list(spec.enums["reason"]))
    answers("a verdict", "do", "explain",
            {"source": "2001:db8::1", "destination": "2001:db8:9::9", "protocol": 17, "sport": 5,
             "dport": 3478, "iif": "int0", "oif": "ext0"},
            lambda answer: answer == {"verdict": "accept", "mode": "audit", "row": "av-stun-out"})
    answers("what each row makes of a flow", "do", "explain",
            {"source": "2001:db8::1", "destination": "2001:db8:9::9", "protocol": 17, "dport": 3478, "all": True},
            lambda answer: answer["row"] == "av-stun-out" and answer["entry"] == [
                {"row": row, "finding": {"av-stun-out": "any", "av-rtp-out": "protocol"}.get(
                    row, "role" if row.endswith("-out") else "direction")} for row in spec.enums["row"]])
    answers("counters from zero", "do", "stats-reset", None, nothing)
    answers("a partner goes", "do", "partner-del", {"entry": [PARTNER]}, nothing)
    answers("all partners go", "do", "partner-flush", None, nothing)
    answers("all Edge addresses of a role go", "do", "interface-flush", {"role": "av"}, nothing)


def check_transactions():
    status, out = ynl("--multi", "begin", "{}", "--multi", "partner-add",
                      json.dumps({"entry": [PARTNER]}), "--multi", "commit", "{}")
    tap.check("a transaction is committed", status == 0, out)
    answers("and in force, whole", "do", "status-get", None,
            lambda answer: (answer["mode"], answer["partners"]) == ("enforce", 1))
    status, out = ynl("--multi", "begin", "{}", "--multi", "status-set", '{"mode": "off"}',
                      "--multi", "abort", "{}")
    tap.check("a transaction is aborted", status == 0, out)
    answers("and nothing of it in force", "do", "status-get", None,
            lambda answer: answer["mode"] == "enforce")
    for command, mode in (("revert", "enforce"), ("confirm", "off")):
        status, out = ynl("--multi", "begin", "{}", "--multi", "status-set", '{"mode": "off"}', "--multi", "partner-add",
                          json.dumps({"entry": [PARTNER]}), "--multi", "commit", '{"confirm": 3600}')
        tap.check("a transaction waits for its confirmation", status == 0, out)
        answers("and is in force meanwhile", "do", "status-get", None,
                lambda answer: answer["mode"] == "off" and 3500 < answer["confirm"] <= 3600)
        answers(f"its {command}", "do", command, None, nothing)
        answers("and what becomes of it", "do", "status-get", None,
                lambda answer, mode=mode: answer["mode"] == mode and "confirm" not in answer)


def check_refusals():
    refuses("addresses of two families", "explain",
            {"source": "198.51.100.1", "destination": "2001:db8::1", "protocol": 6, "dport": 1},
            "both addresses must be of one family", ".destination")
    refuses("a loopback address", "interface-add", {"role": "av", "address": "127.0.0.1"},
            "a loopback address cannot be meant", ".address")
    refuses("host bits", "partner-add", {"entry": [PARTNER, {**PARTNER, "prefix-len": 16,
                                                             "address": "198.51.7.0"}]},
            "host bits are set beyond the prefix length", ".entry")
    refuses("a prefix of 33 bits", "partner-add", {"entry": [{**PARTNER, "prefix-len": 33}]},
            "an IPv4 prefix has at most 32 bits", ".entry.prefix-len")
    refuses("a control character", "partner-add", {"entry": [{**PARTNER, "name": "a\nb"}]},
            "a name is UTF-8 without control, format and other unshown characters", ".entry.name")
    refuses("a partner that is there", "partner-add", {"entry": [PARTNER]}, "partner exists",
            ".entry")
    refuses("a port out of range", "explain",
            {"source": "198.51.100.1", "destination": "198.51.100.2", "protocol": 6,
             "dport": 65536}, "integer out of range", ".dport")
    refuses("an attribute of another command", "status-set", {"role": "av"},
            "Unknown attribute type", ".role")
    refuses("a transaction that is not open", "commit", None,
            "no transaction is open on this socket", None)
    refuses("a confirmation that nothing waits for", "confirm", None,
            "no policy waits for its confirmation", None)
    refuses("a day and a second to confirm in", "commit", {"confirm": 86401},
            "integer out of range", ".confirm")
    refuses("a generation that has passed", "commit", {"generation": 1},
            "the policy has changed since that generation", ".generation")
    words = ["setpriv", "--bounding-set=-net_admin", sys.executable, "-B", CLI, *OPTIONS]
    change = subprocess.run(words + ["--do", "partner-flush"], capture_output=True, text=True,
                            check=False)
    tap.check("whoever may not", change.returncode == 1
              and change.stdout == "Netlink error: Operation not permitted\n",
              change.stdout, change.stderr)


def listen(group, happens, count):
    """(the status beforehand, the notifications of what happens)"""
    words = [sys.executable, "-Bu", CLI, *OPTIONS, "--subscribe", group, "--do", "status-get"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as listener:
        before = json.loads(listener.stdout.readline())
        happens()
        seen = [json.loads(listener.stdout.readline()) for _ in range(count)]
        listener.terminate()
    return before, seen


def check_notifications():
    def change():
        ask("do", "partner-add", {"entry": [{**PARTNER, "name": "skype"}]})
        ask("do", "status-set", {"mode": "audit"})

    before, seen = listen("config", change, 2)
    common = {"interfaces": before["interfaces"], "partners": before["partners"], "blocks": before["blocks"],
              "process": "ynl.py", "user": 0}
    wanted = [{"command": "partner-add", "generation": before["generation"] + 1, **common,
               "entries": 1, "entry": [{**PARTNER, "name": "skype"}]},
              {"command": "status-set", "generation": before["generation"] + 2, **common,
               "mode": "audit"}]
    tap.check("a listener hears of changes", all(each["msg"].pop("pid") > 1 for each in seen) and
              seen == [{"name": "config-ntf", "msg": each} for each in wanted], *seen)
    check_drop()


def check_drop():
    """One of a packet of this machine's own: in mode audit."""
    lab.ip(["link add wan0 type veth peer name wan1", "link set wan0 up", "link set wan1 up",
            "addr add 203.0.113.10/24 dev wan0"])
    ask("do", "interface-add", ACCESS)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind((ACCESS["address"], 40000))
    _, seen = listen("drops", lambda: sender.sendto(b"?", ("203.0.113.53", 53)), 1)
    wanted = {"reason": "unlisted", "mode": "audit", "left-out": 0, "source": ACCESS["address"],
              "destination": "203.0.113.53", "protocol": 17, "sport": 40000, "dport": 53, "oif": "wan0"}
    tap.check("and of drops", seen == [{"name": "drop-ntf", "msg": wanted}], *seen)


def in_policy(attribute):
    """What the kernel should say of the attribute's policy."""
    checks = attribute.checks
    if attribute.nest:	# the module checks what is in it itself, entry by entry: the kernel would not rest meanwhile
        return {"type": "nested"}
    if attribute.type == "string":
        return {"type": "nul-string", "max-length": checks["max-len"]}
    if attribute.type == "binary":
        exact = checks.get("exact-len")
        return {"type": "binary", "max-length": exact or checks["max-len"]} | (
            {"min-length": exact} if exact else {})
    if attribute.type == "flag":
        return {"type": "flag"}
    if attribute.mask:
        return {"type": "u32", "mask": (1 << len(attribute.words)) - 1}
    top = len(attribute.words) - 1 if attribute.words else (1 << 32) - 1
    return {"type": attribute.type, "min-value": checks.get("min", 0),
            "max-value": checks.get("max", top)}


def check_policies():
    for op in spec.ops.values():
        if not op.request:
            continue
        status, out = ynl("--policy", f"--{op.kind}", op.name)
        wanted = {name: in_policy(spec.sets[op.set][name]) for name in op.request}
        said = json.loads(out) if not status else out
        tap.check(f"the kernel's policy of {op.name}", said == wanted, f"wanted: {wanted}", said)


lab.load_module()
sys.dont_write_bytecode = True  # not into the kernel source
tap = Tap()
if not os.path.exists(CLI):
    print("1..0 # SKIP NF_EDGE_LINUX names no kernel source")
    sys.exit()
with open(CLI, encoding="utf-8") as file:
    program = compile(file.read(), CLI, "exec")
spec = Spec()
check_commands()
check_transactions()
check_refusals()
check_notifications()
check_policies()
calls = {op.name for op in spec.ops.values() if op.kind != "event"}
tap.check("every command was spoken", spoken == calls, spoken ^ calls)
tap.done()
