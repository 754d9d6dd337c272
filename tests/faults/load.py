#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Every allocation of the module's initialisation, and of its part in a new network name
# space, fails once: it comes to nothing then, leaves nothing behind, and works the next
# time. What fails in silence has done no harm. Of what loading does in each name space that
# is there already, again and again the same, only some fail.
#
#   NF_EDGE_FAULTS_SOME   that many (40)
#   NF_EDGE_SEED          as printed

import errno
import itertools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "lib"))
from faults import *  # noqa: E402,F403
from wire import *  # noqa: E402,F403

tap = Tap()
if not Nth.there():
    print("1..0 # SKIP this kernel fails no allocation on order")
    sys.exit(0)


def family():
    """Whether the kernel knows the netlink family."""
    try:
        Socket().close()
        return True
    except Refused:
        return False


def traces():
    """What shows of the module."""
    return [name for name, there in [
        ("/sys/module/nf_edge", os.path.exists("/sys/module/nf_edge")),
        ("/sys/kernel/nf_edge", os.path.exists("/sys/kernel/nf_edge")),
        ("the netlink family", family()),
        ("hooks", hooks.ours() > 0)] if there]


def works():
    """A policy goes in, shows up and is enforced by hooks; a complaint, or None."""
    client = Socket()
    client.run(load(interface_add("access", "203.0.113.10"), partner_add(("198.51.100.0/24", ["pic"], "name"))))
    status = client.status()
    complaint = None
    if (status["INTERFACES"], status["PARTNERS"]) != (1, 1):
        complaint = f"the policy is not there: {status}"
    elif not hooks.ours():
        complaint = "no hooks"
    client.run(load())
    client.close()
    return complaint


def fails(action, check, which=None):
    """Each allocation of action() fails once, or those of which; (their number, silent ones,
    complaint).

    action: answers an errno; check(errno): a complaint or None, and undoes what was done.
    """
    silent = done = 0
    for n in which or itertools.count(1):
        nth.arm(n)
        code = action()
        injected = nth.disarm()
        complaint = check(code)
        if code and not injected:
            complaint = f"answers {code} without a fault"
        if complaint or not (injected or which):
            return done, silent, f"allocation {n}: {complaint}" if complaint else None
        done += injected
        silent += injected and not code
    return done, silent, None


def length(action):
    """How many allocations action() makes."""
    nth.arm(1 << 20)
    code = action()
    return code, (1 << 20) - nth.left()


def unload(code):
    """After an attempt to load."""
    if code:
        left = traces()
        return f"answered {code}, and left {left}" if left else None
    complaint = works()
    code = remove()
    return complaint or (f"cannot be unloaded: {code}" if code else None)


def new_namespace():
    return 0 if not libc.unshare(CLONE_NEWNET) else ctypes.get_errno()


def namespace_works(code):
    """The thread is in the new name space, or still in the one before."""
    global hooks
    if not code:
        hooks = Hooks()
    return works()


if is_loaded():
    sys.exit(f"the module is loaded: {remove()}") if remove() else None
rng = seeded()
hurry()
load_dependencies()
nth, hooks, image = Nth(), Hooks(), module_image()
nth.only_loading()
count, quiet, complaint = fails(lambda: insert(image), unload)
tap.check(f"loading the module: each of {count} allocations fails once, {quiet} of them do no harm",
          not complaint and count > quiet, complaint)
nth.only_namespaces()
code, total = length(lambda: insert(image))
some = sorted(rng.sample(range(1, total + 1), min(number("SOME", 40), total)))
complaint = unload(code)
if not complaint:
    count, quiet, complaint = fails(lambda: insert(image), unload, some)
tap.check(f"loading the module: {count} of {total} allocations in name spaces fail, {quiet} of them do no harm",
          not complaint and count > quiet, complaint)
nth.everywhere()
tap.check("loading the module", insert(image) == 0)
nth.only_module()
count, quiet, complaint = fails(new_namespace, namespace_works)
tap.check(f"a new name space: each of {count} allocations fails once, {quiet} of them do no harm",
          not complaint and count > quiet, complaint)
with AllFail():
    code = new_namespace()
tap.check("a new name space: every allocation fails", code == errno.ENOMEM, code)
tap.check("and another one", not new_namespace() and not namespace_works(0))
nth.everywhere()
code = remove()
tap.check("unloading the module", not code and not is_loaded(), code)
lost = leaks()
tap.check("no memory is lost", not lost, lost)
tap.done()
