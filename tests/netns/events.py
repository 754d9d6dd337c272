#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Who listens to the netlink group "config" hears of every change, once, in order, and of nothing else."""

import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import lab  # noqa: E402
from genl import Genl, Spec  # noqa: E402
from nl import Refused  # noqa: E402
from tap import Tap  # noqa: E402

PIC = {"address": "198.51.100.0", "prefix-len": 24, "groups": ["pic", "xmpp"], "name": "skype"}
BLOCK = {"address": "192.0.2.0", "prefix-len": 24, "until": 4102444800, "name": "attack"}
FEDERATION = {"address": "2001:db8:1::", "prefix-len": 48, "groups": ["federation"]}
ACCESS = {"role": "access", "address": "203.0.113.10"}


def key(partner):
    return {"address": partner["address"], "prefix-len": partner["prefix-len"]}


def heard():
    """What the listener has heard since, without what every notification has."""
    generation = 0
    for name, attributes in listener.events():
        assert name == "config-ntf", name
        assert attributes["generation"] >= generation, attributes
        generation = attributes["generation"]
        yield attributes


def after(name, values=None):
    """The notifications of one change: what the change was about."""
    ours.do(name, values)
    status = ours.do("status-get")
    told = list(heard())
    for attributes in told:
        counts = {each: attributes.pop(each) for each in ("generation", "interfaces", "partners", "blocks")}
        assert counts == {each: status[each] for each in counts}, (counts, status)
        senders.append({each: attributes.pop(each) for each in ("process", "pid", "user", "login") if each in attributes})
    return told


def tells(what, name, values, **more):
    told = after(name, values)
    wanted = [{"command": name, **(values or {}), **more}]
    tap.check(f"{what} is told", told == wanted, f"wanted: {wanted}", f"told: {told}")


def silent(what, name, values=None, refused=None):
    error = None
    try:
        ours.do(name, values)
    except Refused as refusal:
        error = refusal.name
    told = list(heard())
    tap.check(f"{what}: silence", not told and error == refused, f"told: {told}", f"error: {error}")


def check_changes():
    map_ = bytes([0, 0xff]) * 4096
    tells("a mode", "status-set", {"mode": "audit"})
    tells("every setting", "status-set",
          {"mode": "enforce", "unlisted": "pass", "rtp-match": "either", "rtp-ports": map_})
    tells("an Edge address", "interface-add", {**ACCESS, "dev": "ext0"})
    tells("its going", "interface-del", {**ACCESS, "tolerant": True})
    tells("a partner", "partner-add", {"entry": [PIC]}, entries=1)
    tells("another group of it, and another", "partner-add",
          {"entry": [{**key(PIC), "groups": ["client"]}, FEDERATION], "tolerant": True}, entries=2)
    tells("leaving a group", "partner-del", {"entry": [{**key(PIC), "groups": ["xmpp"]}]}, entries=1)
    tells("a partner's going", "partner-del", {"entry": [key(PIC)]}, entries=1)
    tells("a flush of groups", "partner-flush", {"groups": ["federation", "pic"]})
    ours.do("partner-add", {"entry": [PIC]})
    ours.do("interface-add", ACCESS)
    list(heard())
    tells("a flush of all partners", "partner-flush", None)
    tells("a flush of a role", "interface-flush", {"role": "access"})
    tells("a row", "rule-set", {"entry": [{"row": "xmpp-in", "enabled": 0},
                                          {"row": "xmpp-out", "peers": "listed"}]}, entries=2)
    tells("the resetting of the counters", "stats-reset", None)
    tells("a block", "block-add", {"entry": [BLOCK, key(FEDERATION)], "tolerant": True}, entries=2)
    tells("its going", "block-del", {"entry": [key(BLOCK)]}, entries=1)
    tells("a flush of all blocks", "block-flush", None)
    ours.do("status-set", {"mode": "audit"})
    list(heard())
    told = after("undo")
    tap.check("going back by one step", [each["command"] for each in told] == ["undo"]
              and told[0]["mode"] == "enforce", told)


def check_senders():
    """Who asked: this process, by the number that it has where the kernel counts."""
    with open("/proc/self/comm", encoding="utf-8") as file:
        comm = file.read().strip()
    ours_ = {"process": comm, "pid": senders[0].get("pid"), "user": 0}
    other = [one for one in senders if {key: one[key] for key in one if key != "login"} != ours_]
    tap.check("every one of them tells who asked", len(senders) > 10 and ours_["pid"] and not other, ours_, *other)
    child = subprocess.run([lab.EDGECTL, "mode", "audit"], check=True)
    told = list(heard())
    tap.check("another process is another", child and [(one["process"], one["user"]) for one in told] == [("edgectl", 0)]
              and told[0]["pid"] != ours_["pid"], told)
    subprocess.run([lab.EDGECTL, "mode", "enforce"], check=True)
    list(heard())


def check_ends():
    """What ends by itself is told, and nobody asked for it."""
    ours.do("block-add", {"entry": [{**key(BLOCK), "until": int(time.time()) + 1}]})
    list(heard())
    told = []
    lab.until(lambda: told.extend(heard()) or told)
    tap.check("a block's end is told, as nobody's", [one["command"] for one in told] == ["block-del"]
              and told[0]["blocks"] == 0 and not {"entry", "entries", "process", "pid", "user"} & set(told[0]), told)


def check_long_list():
    entries = [{"address": f"10.0.{n >> 8}.{n & 255}", "prefix-len": 32, "groups": ["pic"]}
               for n in range(1000)]
    told = after("partner-add", {"entry": entries})
    tap.check("a long list is counted", told == [{"command": "partner-add", "entries": 1000}], told)
    ours.do("partner-flush")
    list(heard())


def check_silence():
    ours.do("partner-add", {"entry": [PIC]})
    ours.do("interface-add", ACCESS)
    list(heard())
    silent("a setting that is so", "status-set", {"mode": "enforce", "unlisted": "pass"})
    silent("nothing to set", "status-set")
    silent("an Edge address that is there", "interface-add", {**ACCESS, "tolerant": True})
    silent("a partner that is there", "partner-add", {"entry": [PIC], "tolerant": True})
    silent("a partner that is not", "partner-del", {"entry": [key(FEDERATION)], "tolerant": True})
    silent("a flush of what is not there", "partner-flush", {"groups": ["gateway"]})
    silent("a flush of a role that nothing has", "interface-flush", {"role": "av"})
    silent("a row as it is", "rule-set", {"entry": [{"row": "xmpp-in", "enabled": 0}]})
    silent("a refusal", "partner-add", {"entry": [FEDERATION, PIC]}, refused="EEXIST")
    silent("a refusal of another kind", "interface-add", {"role": "av", "address": "::"},
           refused="EINVAL")
    silent("a question", "explain", {"source": "::1", "destination": "::2", "protocol": 6,
                                     "dport": 1})


def check_transactions():
    ours.do("begin")
    silent("a staged setting", "status-set", {"mode": "audit"})
    silent("a staged partner", "partner-add", {"entry": [FEDERATION]})
    silent("a stale commit", "commit", {"generation": 1}, refused="ESTALE")
    status = ours.do("status-get")
    silent("a commit that opens everything", "commit", {"generation": status["generation"]}, refused="EPERM")
    told = after("commit", {"generation": status["generation"], "open": True})
    tap.check("a commit is told", told == [{"command": "commit", "mode": "audit", "unlisted": "drop", "rtp-match": "dst",
                                           "open": True}], told)
    ours.do("begin")
    silent("what is aborted", "abort")
    ours.do("partner-add", {"entry": [PIC]})
    list(heard())
    before = ours.do("status-get")["generation"]
    ours.do("begin")
    ours.do("partner-add", {"entry": [PIC, FEDERATION]})
    ours.do("status-set", {"mode": "audit"})
    silent("a commit of what is in force", "commit")
    tap.check("... is no new generation", ours.do("status-get")["generation"] == before)


def check_confirmation():
    def commit(mode):
        ours.do("begin")
        ours.do("status-set", {"mode": mode})
        return after("commit", {"confirm": 3600})

    def whole(command, mode):
        return {"command": command, "mode": mode, "unlisted": "drop", "rtp-match": "dst"}
    before = ours.do("status-get")["mode"]
    told = commit("off")
    tap.check("a commit that waits is told, with the seconds", told == [{**whole("commit", "off"), "confirm": 3600}], told)
    told = after("interface-add", ACCESS)
    tap.check("so is a change meanwhile", told == [{"command": "interface-add", **ACCESS, "confirm": 3600}], told)
    ours.do("begin")
    silent("a commit meanwhile", "commit", refused="EBUSY")
    ours.do("abort")
    told = after("revert")
    tap.check("going back is told", told == [whole("revert", before)], told)
    commit("enforce")
    tells("a confirmation", "confirm", None)
    silent("nothing to confirm", "confirm", refused="ENOENT")
    silent("nothing to go back to", "revert", refused="ENOENT")


def elsewhere(function):
    """What a function of a socket in another name space comes to."""
    def there():
        lab.enter("other")
        with Genl(spec) as genl:
            return function(genl)
    return lab.on_thread(there)


def check_place():
    lab.ip(["netns add other"])
    elsewhere(lambda genl: genl.do("status-set", {"mode": "audit"}))
    tap.check("another name space's change: silence", not list(heard()))

    def listen(genl):
        genl.subscribe("config")
        ours.do("status-set", {"mode": "off"})
        return list(genl.events())
    tap.check("our change: silence there", elsewhere(listen) == [])
    tap.check("and told here", len(list(heard())) == 1)


def check_overrun():
    """A listener that does not listen loses notifications, knows it, and nobody waits for it."""
    mode = ["audit", "off"]
    before = ours.do("status-get")["generation"]
    for n in range(1000):
        ours.do("status-set", {"mode": mode[n % 2], "rtp-ports": bytes([n % 2 << 1]) + bytes(8191)})
    tap.check("a deaf listener holds up no change",
              ours.do("status-get")["generation"] - before == 1000)
    told, lost = 0, 0
    while True:
        try:
            told += len(list(listener.events()))
            break
        except OSError as error:
            lost += error.errno == 105  # ENOBUFS
    tap.check("it hears some, and that it missed some", told < 1000 and lost > 0, told, lost)
    tells("the next change", "status-set", {"mode": "enforce"})


def check_memory():
    """Whatever allocation of a notification fails, the change holds and the listener knows."""
    if not os.path.exists("/proc/thread-self/fail-nth"):
        tap.skip("a change without memory for its notification",
                 "this kernel fails no allocation on order")
        return
    sys.path.insert(0, os.path.join(lab.TREE, "tests/faults/lib"))
    from faults import Nth  # pylint: disable=import-outside-toplevel
    Nth.there()
    nth, modes, told, lost = Nth(), ["audit", "off"], 0, 0
    nth.only_module()
    for n in range(1, 1000):
        before = ours.do("status-get")
        right = {1}
        nth.arm(n)
        try:
            ours.do("status-set", {"mode": modes[before["mode"] == "audit"]})
        except Refused:
            right = {0}
        except OSError:
            right = {0, 1}	# no memory for the answer
        came = nth.disarm()
        changed = ours.do("status-get")["generation"] - before["generation"]
        try:
            events = len(list(listener.events()))
        except OSError:
            events, lost = len(list(listener.events())) + 1, lost + 1
        told += events
        if changed != events or changed not in right or not came:
            break
    nth.everywhere()
    tap.check("every change is told, or its loss", not came and lost > 0 and told > lost,
              f"fault {n} came: {came}, changed {changed}, told {events}, lost {lost}")


lab.load_module()
spec = Spec()
tap = Tap()
senders = []	# of the changes
ours, listener = Genl(spec), Genl(spec)
listener.subscribe("config")
check_changes()
check_senders()
check_ends()
check_long_list()
check_silence()
check_transactions()
check_confirmation()
check_place()
check_overrun()
check_memory()
tap.done()
