#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Writes the corpus of the reader's fuzzer into a directory: answers as the module gives them, and
those that have once done harm. harness.c tells what an input is."""

import os
import re
import struct
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
import nl  # noqa: E402
from genl import Spec  # noqa: E402

FAMILY, MULTI, CAPPED = 0x20, 2, 0x100
JSON, PRETTY, OWN_FAMILY = 1, 2, 4	# OPTION_* of the harness

spec = Spec()
with open(os.path.join(HERE, "harness.c"), encoding="utf-8") as file:
    LINES = [" ".join(re.findall(r'"([^"]+)"', words))
             for words in re.findall(r"^\t\{ \{ (.*) \}, (?:true|false) \},$", file.read(), re.M)]
TYPE = {name: attribute.value for name, attribute in spec.sets["edge"].items()}
DEVICE = b"e\xe2\x80\xae\x1b[31mb\0"	# as ip link takes it
SEEDS = {}


def seed(name, line, *messages, options=0):
    """Messages are bytes, or lists of them: a datagram."""
    data = bytes([LINES.index(line), options])
    for datagram in messages:
        datagram = datagram if isinstance(datagram, list) else [datagram]
        for message in datagram:
            more = 0x8000 if message is not datagram[-1] else 0
            data += struct.pack("<H", len(message) | more) + message
    assert name not in SEEDS
    SEEDS[name] = data


def message(kind, flags, payload):
    """The harness fills in its length and the number of the request."""
    return struct.pack("=IHHII", 0, kind, flags, 0, 0) + payload


def answer(values, flags=MULTI, command="status-get"):
    """Values by name, or bytes of attributes."""
    payload = values if isinstance(values, bytes) else spec.pack("edge", values)
    return message(FAMILY, flags, nl.generic(spec.ops[command].value, payload))


def event(command, *values):
    return answer(b"".join(one if isinstance(one, bytes) else spec.pack("edge", one) for one in values), 0, command)


def raw(name, payload):
    return nl.attr(TYPE[name], payload)


def short(name, length, payload=b""):
    """An attribute that says another length than it has."""
    return struct.pack("=HH", length, TYPE[name]) + payload


def error(code, *attributes, flags=CAPPED, request=b"", length=None):
    """An extended ack; the request's length may be a lie."""
    length = len(request) + 16 if length is None else length
    return message(nl.NLMSG_ERROR, flags | (nl.ACK_TLVS if attributes else 0),
                   struct.pack("=iIHHII", code, length, FAMILY, 5, 0, 0) + request + b"".join(attributes))


def sentence(text):
    return nl.attr(nl.NLMSGERR_ATTR_MSG, text)


def offset(number):
    return nl.attr(nl.NLMSGERR_ATTR_OFFS, struct.pack("=I", number))


ACK = error(0)
DONE = message(nl.NLMSG_DONE, MULTI, bytes(4))
STATUS = {"version": "0.1.0", "mode": "audit", "unlisted": "drop", "generation": 7, "rtp-match": "src",
          "interfaces": 2, "partners": 3, "uptime": 100000}
ADDRESS = {"role": "access", "address": "203.0.113.10", "dev": DEVICE}
PARTNER = {"address": "198.51.100.0", "prefix-len": 24, "groups": ["pic", "xmpp"], "name": "b\u00fcro",
           "packets": 12, "idle": 3600}
ROW = {"row": "sip-federation-in", "class": "sip", "from": "federation", "to": "access", "protocol": 6,
       "dport": 5061, "enabled": 1, "peers": "listed", "packets": 4, "bytes": 400, "flows": 1}
COUNTED = {"reason": "not-listed", "packets": 3, "bytes": 180}
DROP = {"reason": "not-listed", "mode": "enforce", "left-out": 4, "row": "sip-federation-in",
        "protocol": 6, "sport": 40000, "dport": 5061, "source": "198.51.100.7", "destination": "203.0.113.10",
        "iif": DEVICE, "oif": "int0"}
REFUSED = {"verdict": "drop", "mode": "enforce", "reason": "not-listed"}
ADMITTED = {"verdict": "accept", "mode": "audit", "row": "sip-federation-in"}
FINDINGS = {"entry": [{"row": "sip-federation-in", "finding": "not-listed"}, {"row": "av-rtp-out", "finding": "port"}]}

do_status = [answer(STATUS, 0), ACK]
interfaces = [answer(ADDRESS), answer({"role": "av", "address": "2001:db8::a"}), DONE]
partners = [answer(PARTNER), answer({"address": "2001:db8:1::", "prefix-len": 48, "groups": ["federation"],
                                     "domain": "contoso.com", "packets": 0, "idle": 5, "leaves": True}), DONE]
rows = [answer(ROW), answer(ROW | {"row": "av-rtp-out", "dport": 0, "from": "av", "to": "messenger"}), DONE]
reasons = [answer(COUNTED), answer(COUNTED | {"reason": "malformed"}), DONE]


def as_the_module():
    for mode, options in {"text": 0, "json": JSON, "pretty": JSON | PRETTY}.items():
        seed(f"status-{mode}", "status", *do_status, rows, reasons, options=options)
        seed(f"interfaces-{mode}", "interface list", interfaces, options=options)
        seed(f"partners-{mode}", "partner list", partners, options=options)
        seed(f"rules-{mode}", "rule list", do_status, rows, options=options)
        seed(f"rtp-{mode}", "rtp", do_status, options=options)
        seed(f"stats-{mode}", "stats", do_status, rows, reasons, options=options)
        for what, verdict in {"refused": REFUSED, "admitted": ADMITTED, "wrong-device": REFUSED | {"reason": "wrong-device"}}.items():
            seed(f"explain-{what}-{mode}", LINES[8], answer(spec.pack("explanation", verdict | FINDINGS), 0), ACK, rows,
                 interfaces, options=options)
        seed(f"diff-{mode}", "diff -", do_status, rows, interfaces, partners, do_status, options=options)
        seed(f"watch-{mode}", "stats watch", *[do_status, rows, reasons] * 3, options=options)
        for number, one in enumerate([
                [{"command": "status-set", "generation": 8}, {"mode": "off", "unlisted": "pass", "rtp-match": "either"}],
                [{"command": "interface-add", "interfaces": 3}, ADDRESS],
                [{"command": "interface-flush"}, {"role": "av"}],
                [{"command": "partner-add", "entries": 2}, {"entry": [
                    {"address": "198.51.100.7", "prefix-len": 32, "groups": ["pic"], "name": "a \"b\""},
                    {"address": "2001:db8::", "prefix-len": 32, "groups": ["pic"], "leaves": True}]}],
                [{"command": "partner-del", "entries": 20}, {"entry": [{"address": "198.51.100.7"}]}],
                [{"command": "partner-flush"}, {"groups": ["pic"]}],
                [{"command": "rule-set", "entries": 2}, {"entry": [
                    {"row": "xmpp-in", "enabled": 0}, {"row": "xmpp-out", "peers": "listed", "enabled": 1}]}],
                [{"command": "stats-reset"}], [{"command": "commit", "confirm": 30, "interfaces": 1, "partners": 5}]]):
            seed(f"change-{number}-{mode}", "monitor", event("config-ntf", *one), options=options)
        seed(f"drop-{mode}", "monitor", event("drop-ntf", DROP), event("drop-ntf", DROP | {"reply": True}),
             options=options)
    seed("drop-chosen", LINES[10], event("drop-ntf", DROP))
    seed("metrics", "stats --openmetrics", do_status, rows, reasons)
    seed("save", "save", do_status, rows, interfaces, partners, do_status)
    seed("load", "load -", interfaces, *[ACK] * 7, interfaces)
    seed("refresh", "partner refresh", partners[1:])
    seed("interrupted", "partner list", answer(PARTNER, MULTI | nl.DUMP_INTR), DONE, partners)
    seed("refused", LINES[14], error(-17, sentence(b"partner exists\0"), offset(84)))
    seed("refused-whole", LINES[15], error(-2, sentence(b"partner does not exist\0"), offset(24), flags=0, request=bytes(60)))
    seed("refused-listing", "partner list", message(nl.NLMSG_DONE, MULTI | nl.ACK_TLVS,
                                                    struct.pack("=i", -22) + sentence(b"no such group\0")))
    seed("not-permitted", "confirm", error(-1))
    groups = b"".join(nl.attr(number | nl.NESTED, nl.attr(1, name) + nl.attr(2, struct.pack("=I", number)))
                      for number, name in enumerate([b"config\0", b"drops\0"], 1))
    seed("family", "status", message(nl.CONTROLLER, 0, nl.generic(1, (
        nl.attr(1, struct.pack("=H", FAMILY)) + nl.attr(3, struct.pack("=I", 1)) + nl.attr(7 | nl.NESTED, groups)))), ACK,
         do_status, options=OWN_FAMILY)


def has_done_harm():
    entry = {"row": "xmpp-in", "enabled": 1}
    # calloc(entries + 1), in 32 bits
    seed("harm-told-number", "monitor", event("config-ntf", {"command": "stats-reset"}, {"command": "rule-set", "entries": 0xffffffff},
                                              {"entry": [entry] * 300}))
    seed("harm-told-number-alone", "monitor", event("config-ntf", {"command": "rule-set", "entries": 0xffffffff},
                                                    {"entry": [entry] * 300}))
    seed("harm-told-too-few", "monitor", event("config-ntf", {"command": "partner-add", "entries": 1},
                                               {"entry": [{"address": "198.51.100.7", "groups": ["pic"]}] * 20}))
    for name in ("version", "mode", "uptime", "rtp-ports"):
        rest = spec.pack("edge", {key: value for key, value in STATUS.items() if key != name})
        seed(f"harm-short-{name}", "status", answer(rest + raw(name, b"\x01"), 0), ACK)
    for name, line, values in (("name", "partner list", PARTNER), ("domain", "partner list", PARTNER),
                               ("dev", "interface list", ADDRESS), ("class", "rule list", ROW)):
        rest = spec.pack("edge", {key: value for key, value in values.items() if key != name})
        before = [do_status] if line == "rule list" else []
        seed(f"harm-no-nul-{name}", line, *before, answer(rest + raw(name, b"abcd")))
        seed(f"harm-empty-{name}", line, *before, answer(rest + raw(name, b"")))
    seed("harm-no-nul-iif", "monitor", event("drop-ntf", {**DROP, "iif": b"abcd"}))
    seed("harm-short-idle", "partner list", answer(spec.pack("edge", {"address": "198.51.100.7"}) + raw("idle", b"")))
    seed("harm-attribute-beyond", "partner list", answer(short("name", 200, b"abcd")))
    seed("harm-long-prefix", "partner list", answer({"address": "198.51.100.7", "prefix-len": 33, "groups": ["pic"]}),
         options=JSON)
    seed("harm-longer-prefix", LINES[10], event("drop-ntf", {**DROP, "source": bytes(5)}))
    seed("harm-no-address", "partner list", answer({"groups": ["pic"]}))
    seed("harm-unknown-group", "partner list", answer(spec.pack("edge", {"address": "198.51.100.7"})
                                                      + raw("groups", b"\xff\xff\xff\xff")))
    seed("harm-role", "interface list", answer(spec.pack("edge", {"address": "198.51.100.7"}) + raw("role", b"\x20\0\0\0")))
    seed("harm-no-address-added", "monitor", event("config-ntf", {"command": "interface-add", "role": "access"}))
    # the verdict told of a row, and the row of the reason was looked for
    seed("harm-row-and-reason", LINES[8], answer(spec.pack("explanation", REFUSED | {"row": "xmpp-in"}), 0), ACK, rows)
    seed("harm-row", "rule list", do_status, answer(raw("row", b"\x0b\0\0\0")))
    seed("harm-no-domain", "partner refresh", partners)
    seed("harm-row-changed", "monitor", event("config-ntf", {"command": "rule-set", "entries": 1}, nl.attr(
        TYPE["entry"] | nl.NESTED, raw("row", b"\0\0\0\x80") + raw("peers", b"\0\0\0\x80"))))
    seed("harm-fewer-rows", "stats watch", do_status, [answer(ROW), DONE], [DONE], do_status, rows, reasons, options=JSON)
    seed("harm-ack-sentence", "confirm", error(-22, sentence(b"abcd")))
    seed("harm-ack-offset", "confirm", error(-22, nl.attr(nl.NLMSGERR_ATTR_OFFS, b"ab")))
    for number, length in enumerate([0, 1, 15, 0x7fffffff, 0xfffffff0, 0xffffff00]):
        seed(f"harm-ack-length-{number}", "confirm", error(-22, sentence(b"abc\0"), flags=0, length=length))
    seed("harm-ack-code", "confirm", error(-0x80000000))
    seed("harm-ack-positive", "confirm", error(5))
    seed("harm-done-code", "partner list", message(nl.NLMSG_DONE, MULTI, struct.pack("=i", -0x80000000)))
    seed("harm-done-short", "partner list", message(nl.NLMSG_DONE, MULTI, b"\x80"))
    seed("harm-error-short", "confirm", message(nl.NLMSG_ERROR, 0, b"\xff" * 6))
    seed("harm-far-offset", LINES[14], error(-22, offset(0xffffffff)))
    seed("harm-group-id", "monitor", message(nl.CONTROLLER, 0, nl.generic(1, nl.attr(7 | nl.NESTED, nl.attr(1 | nl.NESTED, (
        nl.attr(2, b"") + nl.attr(1, b"drop")))))), options=OWN_FAMILY)
    seed("harm-sentence-escapes", "confirm", error(-22, sentence("\x1b]0;a\x07\u202e\u009b".encode() + b"\xff\0")))
    seed("harm-version-escapes", "status", answer({**STATUS, "version": DEVICE}, 0), ACK, rows, reasons, options=JSON)
    seed("harm-metrics-escapes", "stats --openmetrics", answer({**STATUS, "version": b'"\\\n\xff\x1b\0'}, 0), ACK, rows, reasons)
    seed("harm-metrics-age", "stats --openmetrics", answer({**STATUS, "uptime": 1 << 63}, 0), ACK, rows, reasons)
    for mode, options in {"text": 0, "json": JSON}.items():
        name = {**PARTNER, "name": "a\n\u202eb\ufeff".encode() + b"\xc3\0"}
        seed(f"harm-name-escapes-{mode}", "partner list", [answer(name), DONE], options=options)
        seed(f"harm-diff-escapes-{mode}", "diff -", do_status, rows, interfaces, [answer(name), DONE], do_status, options=options)
    seed("harm-save-escapes", "save", do_status, rows, interfaces, [answer(PARTNER | {"name": "a\u202eb"}), DONE], do_status)


as_the_module()
has_done_harm()
for seed_name, content in SEEDS.items():
    with open(os.path.join(sys.argv[1], seed_name), "wb") as file:
        file.write(content)
