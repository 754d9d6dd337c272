#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Single requests that tests/fuzz/netlink.py, or a look at the policies, found answered badly."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import lab  # noqa: E402
from genl import Genl, Spec  # noqa: E402
from nl import ACK, DUMP, Refused  # noqa: E402
from tap import Tap  # noqa: E402

ACCESS = {"role": "access", "address": "203.0.113.10"}
PARTNER = {"address": "198.51.100.0", "prefix-len": 24}
SENTENCE = "a name is UTF-8 without control, format and other unshown characters"


def refused(name, op, values, error, text, attribute):
    """The request, encoded as no specification would have it, is refused so."""
    op = spec.ops[op]
    payload = spec.pack("edge", values)
    before = genl.do("status-get")["generation"]
    try:
        genl.ask(op, payload, DUMP if op.kind == "dump" else ACK)
        answer = None
    except Refused as refusal:
        answer = refusal.name, refusal.sentence, refusal.attribute
    tap.check(name, answer == (error, text, attribute)
              and genl.do("status-get")["generation"] == before, answer)


with open(os.path.join(lab.TREE, "kmod/uapi/nf_edge.h"), encoding="utf-8") as file:
    UNSHOWN = [(int(first, 16), int(last, 16)) for first, last in re.findall(r"X\((0x\w+), (0x\w+)\)", file.read())]
lab.load_module()
spec, tap = Spec(), Tap()
genl = Genl(spec)
genl.do("interface-add", {**ACCESS, "dev": "ext0"})
genl.do("partner-add", {"entry": [{**PARTNER, "groups": ["pic"], "name": "skype"}]})

# Linux 6.1 loses what a listing's beginning has to say: the policy has to say it.
for length in (0, 3, 5, 15):
    refused(f"a listing of what covers an address of {length} bytes", "partner-get",
            {"address": bytes(length)}, "EINVAL", "an address has 4 or 16 bytes", "address")
# Both were taken, and the last attribute was not looked at.
refused("an Edge address goes, with a device", "interface-del", {**ACCESS, "dev": "int0"},
        "EINVAL", "Unsupported attribute", "dev")
refused("a partner goes, with a name", "partner-del", {"entry": {**PARTNER, "name": "lync"}},
        "EINVAL", "Unsupported attribute", "entry.name")
# They were taken, and no file could hold them.
for what, text in {"a control character": b"a\x1b", "DEL": b"\x7f", "a control character above ASCII": b"\xc2\x85",
                   "a cut character": b"a\xc3", "an overlong one": b"\xc0\xaf", "a surrogate": b"\xed\xa0\x80",
                   "Latin 1": b"b\xfcro"}.items():
    refused(f"a name with {what}", "partner-add", {"entry": {**PARTNER, "groups": ["pic"], "name": text + b"\0"}},
            "EINVAL", SENTENCE, "entry.name")
    refused(f"a device with {what}", "interface-add", {**ACCESS, "dev": text + b"\0"},
            "EINVAL", "that cannot be a device's name", "dev")
# They were taken, and shown as nothing, or turned the rest of a line around.
for first, last in UNSHOWN:
    for character in sorted({first, (first + last) // 2, last}):
        text = b"a" + chr(character).encode() + b"\0"
        refused(f"a name with U+{character:04X}", "partner-add", {"entry": {**PARTNER, "groups": ["pic"], "name": text}},
                "EINVAL", SENTENCE, "entry.name")
    # 0xa0 in the bytes of one of them is a blank to the kernel's own rule
    refused(f"a device with U+{first:04X}", "interface-add", {**ACCESS, "dev": b"a" + chr(first).encode() + b"\0"},
            "EINVAL", "that cannot be a device's name", "dev")
beside = sorted({each for range_ in UNSHOWN for each in (range_[0] - 1, range_[1] + 1)
                 if each <= 0x10ffff and not any(first <= each <= last for first, last in UNSHOWN)})
for character in beside:
    genl.do("partner-add", {"entry": {**PARTNER, "groups": ["pic"], "name": "a" + chr(character)}})
tap.check("what stands beside them is taken", genl.dump("partner-get")[0]["name"] == "a" + chr(beside[-1]), beside)
genl.do("partner-add", {"entry": {**PARTNER, "groups": ["pic"], "name": "b\u00fcro \u20ac \U0001d11e"}})
tap.check("a name in UTF-8 is kept", genl.dump("partner-get")[0]["name"] == "b\u00fcro \u20ac \U0001d11e")
LABEL = "a" * 63
for what, text in {"a capital": "Contoso.com", "a blank": "contoso .com", "an empty label": "a..b", "a dot behind": "a.",
                   "a hyphen before": "-a.b", "a hyphen behind": "a-.b", "a long label": "a" * 64, "254 bytes": f"{LABEL}." * 3 + LABEL[1:],
                   "no host": "host:"}.items():
    refused(f"a domain with {what}", "partner-add", {"entry": {**PARTNER, "groups": ["pic"], "domain": text}}, "EINVAL",
            "a domain has lower-case letters, digits and hyphens, and dots between", "entry.domain")
longest = "host:" + f"{LABEL}." * 3 + LABEL[2:]
genl.do("partner-add", {"entry": {**PARTNER, "groups": ["xmpp"], "domain": longest}})
tap.check("the longest is kept, with its groups", [(one["groups"], one["domain"]) for one in genl.dump(
    "partner-get", {"domain": ""})] == [(["xmpp"], longest)])
tap.check("and can be asked for", len(genl.dump("partner-get", {"domain": longest})) == 1
          and not genl.dump("partner-get", {"domain": "a"}))
genl.do("partner-add", {"entry": {**PARTNER, "groups": ["pic"], "domain": ""}, "tolerant": True})
tap.check("an empty domain is none", len(genl.dump("partner-get")) == 2)
genl.do("partner-add", {"entry": {**PARTNER, "groups": ["pic"], "name": ""}})
tap.check("an empty name takes the name away", "name" not in genl.dump("partner-get")[0])
refused("who comes behind who leaves", "partner-add", {"entry": [{**PARTNER, "leaves": True}, {**PARTNER, "groups": ["xmpp"]}]},
        "EINVAL", "who comes is told before who leaves", "entry")
refused("who leaves stays when the others cannot come", "partner-add", {"entry": [
    {**PARTNER, "groups": ["pic"]}, {**PARTNER, "leaves": True}]}, "EEXIST", "partner exists", "entry")
refused("in del, who leaves is told so already", "partner-del", {"entry": {**PARTNER, "leaves": True}}, "EINVAL",
        "Unknown attribute type", "entry.leaves")
before = genl.do("status-get")["generation"]
genl.do("partner-add", {"generation": before, "entry": [
    {**PARTNER, "groups": ["federation"], "domain": "b.test"}, {**PARTNER, "groups": ["client"], "domain": "c.test", "leaves": True},
    {**PARTNER, "domain": "", "leaves": True}]})
tap.check("some come and others leave in one step", genl.do("status-get")["generation"] == before + 1 and
          [(one["groups"], one["domain"]) for one in genl.dump("partner-get")] == [(["federation"], "b.test"), (["xmpp"], longest)],
          genl.dump("partner-get"))
genl.do("partner-add", {"entry": [{**PARTNER, "groups": ["pic"], "name": "skype"}, {**PARTNER, "domain": "b.test", "leaves": True}]})
for op in "partner-add", "partner-del":
    refused(f"{op}, of a generation that has passed", op,
            {"generation": 1, "entry": {**PARTNER, "groups": ["pic"]}}, "ESTALE",
            "the policy has changed since that generation", "generation")
genl.do("partner-add", {"generation": genl.do("status-get")["generation"],
                        "entry": [{**PARTNER, "groups": ["pic"], "domain": f"{i}.test"} for i in range(1023)]})
refused("more domains than a partner may have", "partner-add",
        {"entry": {**PARTNER, "groups": ["pic"], "domain": "one.more"}}, "ENOSPC",
        "partner comes from too many domains", "entry")
tap.check("each is listed once, in order", [one["domain"] for one in genl.dump("partner-get", {"domain": ""})]
          == sorted([f"{i}.test" for i in range(1023)] + [longest]))
tap.done()
