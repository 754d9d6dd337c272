#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Partners by name: what DNS says becomes entries, and keeps them up to date; lists are imported.

The namespace gw has a resolv.conf of its own and dnsmasq behind it, which is started anew with
other records; what ends in .fail.test it hands on to a server that answers SERVFAIL. In mute, the
server's address is there, and nobody answers.
"""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import lab  # noqa: E402
from tap import Tap  # noqa: E402

PID = "/tmp/dnsmasq.pid"
SIP = "_sipfederationtls._tcp"
XMPP = "_xmpp-server._tcp"
CONTOSO = [f"--srv-host={SIP}.contoso.test,sip.contoso.test,5061",
           f"--srv-host={XMPP}.contoso.test,chat.contoso.test,5269",
           "--host-record=sip.contoso.test,198.51.100.10,2001:db8:1::10",
           "--host-record=chat.contoso.test,198.51.100.11"]
FABRIKAM = [f"--srv-host={SIP}.fabrikam.test,sip.contoso.test,5061"]
FAULTS = [f"--srv-host={SIP}.port.test,sip.contoso.test,5062",
          f"--srv-host={SIP}.dangling.test,nowhere.test,5061",
          f"--srv-host={SIP}.none.test",
          f"--txt-record={SIP}.text.test,nothing",
          f"--srv-host={SIP}.loop.test,loop.test,5061", "--host-record=loop.test,127.0.0.1",
          f"--srv-host={SIP}.link.test,link.test,5061", "--host-record=link.test,fe80::1",
          f"--srv-host={SIP}.any.test,any.test,5061", "--host-record=any.test,0.0.0.0"]


def edgectl(*words, **options):
    return subprocess.run([lab.EDGECTL, "-n", "gw", *words], capture_output=True, check=False,
                          **({"text": True} | options))


def answer(*words):
    got = edgectl("-j", *words)
    return json.loads(got.stdout) if got.stdout else got.stderr


def partners(*words):
    """[[address, groups, name, domain]]"""
    return [[one[key] for key in ("address", "groups", "name", "domain")] for one in answer("partner", "list", *words)]


def generation():
    return answer("status")["generation"]


def ok(name, *words, says="", warns="", **options):
    got = edgectl(*words, **options)
    tap.check(name, (got.returncode, got.stdout, got.stderr) == (0, says, warns),
              f"exit status {got.returncode}", got.stdout, got.stderr)


def refused(name, sentence, *words, status=1, **options):
    """One line, and nothing has changed."""
    before = generation()
    got = edgectl(*words, **options)
    tap.check(name, (got.returncode, got.stdout, got.stderr) == (status, "", f"edgectl: {sentence}\n")
              and generation() == before,
              f"exit status {got.returncode}", got.stdout, got.stderr, f"wanted: {sentence}")


def same(name, got, want):
    tap.check(name, got == want, f"got:    {got}", f"wanted: {want}")


# ---- the servers ----

def in_gw():
    lab.enter("gw")


def stop():
    if os.path.exists(PID):
        with open(PID, encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGKILL)
        os.remove(PID)


def serve(*records):
    """dnsmasq listens when its first process ends."""
    stop()
    subprocess.run(["dnsmasq", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
                    f"--pid-file={PID}", "--listen-address=127.0.0.1", "--bind-interfaces",
                    "--local=/test/", "--server=/fail.test/127.0.0.2", *records],
                   preexec_fn=in_gw, check=True)


def fail_always(sock):
    """SERVFAIL to each question."""
    while True:
        query, peer = sock.recvfrom(512)
        sock.sendto(query[:2] + b"\x81\x82" + query[4:], peer)


def open_failing():
    in_gw()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.2", 53))
    return sock


def set_up():
    lab.load_module()
    lab.ip(["netns add gw", "netns add mute"])
    lab.ip(["link set lo up"], "gw")
    lab.ip(["link set lo up", "link add out type veth peer name in", "link set out up",
            "link set in up", "address add 192.0.2.1/24 dev out",
            "neighbour add 192.0.2.53 lladdr 02:00:00:00:00:53 dev out"], "mute")
    for name, server in ("gw", "127.0.0.1"), ("mute", "192.0.2.53"):
        os.makedirs(f"/etc/netns/{name}", exist_ok=True)
        with open(f"/etc/netns/{name}/resolv.conf", "w", encoding="ascii") as file:
            file.write(f"nameserver {server}\nsearch contoso.test\n")
    failing = lab.on_thread(open_failing)
    threading.Thread(target=fail_always, args=[failing], daemon=True).start()


# ---- what is said, and what comes of it ----

def check_add():
    serve(*CONTOSO, *FABRIKAM)
    ok("a domain is a partner", "partner", "add", "Contoso.TEST", "group", "federation,xmpp",
       "name", "Contoso")
    contoso = [["198.51.100.10/32", ["federation"], "Contoso", "contoso.test"],
               ["198.51.100.11/32", ["xmpp"], "Contoso", "contoso.test"],
               ["2001:db8:1::10/128", ["federation"], "Contoso", "contoso.test"]]
    same("each service has its hosts, IPv4 and IPv6", partners(), contoso)
    refused("it is there", "partner contoso.test exists", "partner", "add", "contoso.test")
    ok("a second domain of the same front end, and an address", "partner", "add", "fabrikam.test",
       "192.0.2.9", "group", "federation,pic")
    ok("the same address by hand", "partner", "add", "198.51.100.10", "group", "gateway")
    ok("a host", "partner", "add", "host:chat.contoso.test", "group", "gateway")
    same("each is told apart", partners("covers", "198.51.100.10"),
         [["198.51.100.10/32", ["gateway"], None, None], contoso[0],
          ["198.51.100.10/32", ["federation", "pic"], None, "fabrikam.test"]])
    same("a domain's", [one[0] for one in partners("domain", "host:chat.contoso.test")],
         ["198.51.100.11/32"])
    same("prefixes are counted once", answer("status")["partners"], 4)
    saved = edgectl("save").stdout
    tap.check("what is saved has the domains",
              "partner add 198.51.100.11/32 group gateway domain host:chat.contoso.test\n"
              in saved and "group federation domain contoso.test name Contoso\n" in saved, saved)
    ok("without DNS", "load", "-", input=saved)
    same("it loads, and saves as the same text", edgectl("save").stdout, saved)


def check_del():
    refused("another group", "partner fabrikam.test is not in that group",
            "partner", "del", "fabrikam.test", "group", "xmpp")
    got = edgectl("partner", "del", "fabrikam.test")
    same("a domain goes, and its hosts are told who still have another's", (got.returncode, got.stdout, got.stderr.splitlines()), (0, "", [
        "edgectl: warning: 198.51.100.10/32 is still admitted by partner 198.51.100.10/32 (gateway)",
        "edgectl: warning: 198.51.100.10/32 is still admitted by partner 198.51.100.10/32 (federation, from contoso.test, Contoso)",
        "edgectl: warning: 2001:db8:1::10/128 is still admitted by partner 2001:db8:1::10/128 (federation, from contoso.test, Contoso)",
        "edgectl: warning: they are still admitted, as anybody is, by sip-federation-out (\"edgectl block add ADDRESS\" cuts both ways)"]))
    same("the others' shares stay", [one[1::2] for one in partners("covers", "198.51.100.10")],
         [[["gateway"], None], [["federation"], "contoso.test"]])
    refused("it has gone", "partner fabrikam.test does not exist", "partner", "del", "fabrikam.test")
    ok("it has gone, quietly", "-q", "partner", "del", "fabrikam.test")
    ok("and comes again", "partner", "add", "fabrikam.test")


def check_faults():
    serve(*CONTOSO, *FABRIKAM, *FAULTS)
    for domain, sentence in {
            "no.test": f"there is no {SIP}.no.test in DNS",
            "text.test": f"{SIP}.text.test has no SRV record",
            "none.test": f"{SIP}.none.test says that there is no such service",
            "port.test": f"{SIP}.port.test has port 5062 of sip.contoso.test, and the rows have"
                         " port 5061",
            "dangling.test": "there is no nowhere.test in DNS",
            "host:loop.no.test": "there is no loop.no.test in DNS",
            "host:text.test": "text.test has no A or AAAA record",
            "loop.test": "loop.test has the address 127.0.0.1, which cannot be meant: it is loopback",
            "link.test": "link.test has the address fe80::1, which cannot be meant: it is link-local",
            "any.test": "any.test has the address 0.0.0.0, which cannot be meant: it is unspecified",
            "a.fail.test": f"the DNS server fails to find {SIP}.a.fail.test (SERVFAIL)",
            "elsewhere.org": f"the DNS server refuses to tell {SIP}.elsewhere.org (REFUSED)",
    }.items():
        refused(f"{domain}: {sentence}", f"{domain}: {sentence}", "partner", "add", "192.0.2.77",
                domain)
    refused("a group without a service", "contoso.test: DNS knows no service of group client by "
            "domain (a host's name is given as host:contoso.test)", "partner", "add",
            "contoso.test", "group", "client", status=2)
    refused("a name that is not ASCII", 'the domain "b\u00fccher.test" is not ASCII (DNS has it as '
            "xn--...)", "partner", "add", "b\u00fccher.test", status=2)
    refused("a name in a policy file", "-:1: contoso.test would have to be looked up: a policy file "
            "has addresses", "load", "-", input="partner add contoso.test\n")
    got = mute.communicate()
    tap.check("a server that does not answer", (mute.returncode, got) ==
              (1, ("", f"edgectl: contoso.test: no DNS server answers in time about {SIP}.contoso.test\n")), got)


def changes(*words):
    got = edgectl("-j", "partner", "refresh", *words)
    return got.returncode, [list(one.values()) for one in json.loads(got.stdout)], got.stderr


def check_refresh():
    before = generation()
    same("nothing has moved", (changes(), generation()), ((0, [], ""), before))
    moved = [*CONTOSO[:2], "--host-record=sip.contoso.test,198.51.100.12,2001:db8:1::10",
             "--host-record=chat.contoso.test,198.51.100.11"]
    serve(*moved)
    same("one has moved; one is not found, and stays", changes(),
         (1, [["added", "198.51.100.12/32", ["federation"], "contoso.test"],
              ["removed", "198.51.100.10/32", ["federation"], "contoso.test"]],
          f"edgectl: fabrikam.test: there is no {SIP}.fabrikam.test in DNS; its partners stay as"
          " they are\n"))
    same("who comes has the name, who goes leaves what is not his",
         partners("covers", "198.51.100.12") + partners("covers", "198.51.100.10"),
         [["198.51.100.12/32", ["federation"], "Contoso", "contoso.test"],
          ["198.51.100.10/32", ["gateway"], None, None],
          ["198.51.100.10/32", ["federation"], None, "fabrikam.test"]])
    serve(*moved, *FABRIKAM)
    same("one domain alone", changes("contoso.test"), (0, [], ""))
    got = edgectl("partner", "refresh")
    same("and in words", (got.returncode, got.stdout.split()),
         (0, "change address groups domain added 198.51.100.12/32 federation fabrikam.test "
             "removed 198.51.100.10/32 federation fabrikam.test".split()))
    before = generation()
    serve(*CONTOSO, *FABRIKAM)
    same("what comes and what goes are one change", (len(changes()[1]), generation()), (4, before + 1))
    serve(*moved, *FABRIKAM)
    before, got = generation(), edgectl("partner", "refresh", "--dry-run")
    same("tried, it says what it would do", (got.returncode, got.stderr, generation(), sorted({line.split()[1] for line in got.stdout.splitlines()})),
         (1, "", before, ["add", "del"]))
    got = edgectl("partner", "refresh", "--confirm", "1h")
    ok("what has come by it is taken back", "revert")
    same("to be confirmed, it is taken back", (got.returncode, got.stderr, partners("covers", "198.51.100.12")), (0, "", []))
    serve(*CONTOSO, *FABRIKAM)
    monitor.terminate()
    told = monitor.communicate()[0]
    tap.check("and are told in the words of commands", " partner add 198.51.100.12/32 group federation domain contoso.test name"
              " Contoso; partner del 198.51.100.10/32 group federation domain contoso.test by edgectl (pid " in told, told)
    refused("one that is not there", "partner nobody.test does not exist", "partner", "refresh",
            "nobody.test")
    serve(*CONTOSO, f"--srv-host={SIP}.fabrikam.test")
    refused("a service that is no longer, takes nobody away",
            f"fabrikam.test: {SIP}.fabrikam.test says that there is no such service; its partners stay as they are",
            "partner", "refresh")
    serve(*CONTOSO, f"--srv-host={SIP}.fabrikam.test,sip.contoso.test,5062")
    refused("another port, likewise", f"fabrikam.test: {SIP}.fabrikam.test has port 5062 of sip.contoso.test, and the rows"
            " have port 5061; its partners stay as they are", "partner", "refresh", "fabrikam.test")
    edgectl("partner", "add", "192.0.2.8", "group", "client", "domain", "fabrikam.test")
    serve(*CONTOSO, *FABRIKAM)
    refused("a group that has no service, likewise", "fabrikam.test: DNS knows no service of group client by domain; its"
            " partners stay as they are", "partner", "refresh")
    edgectl("partner", "del", "192.0.2.8")
    check_blocked()
    stop()
    before = generation()
    status, changed, sentences = changes()
    same("without a server all stay as they are",
         (status, changed, sentences.count("; its partners stay as they are\n"), generation()),
         (1, [], 3, before))


def check_blocked():
    """A domain that is blocked: what DNS does not answer is told, and each address is meant once."""
    serve(*CONTOSO, f"--srv-host={SIP}.partial.test,sip.contoso.test,5061", f"--srv-host={SIP}.partial.test,nowhere.test,5061",
          f"--srv-host={XMPP}.partial.test,chat.contoso.test,5269")
    got = edgectl("block", "add", "partial.test")
    same("a service that DNS has in part is told", (got.returncode, got.stdout, got.stderr.count("\n"), "nowhere.test" in got.stderr),
         (0, "blocked 1\n", 1, True))
    edgectl("block", "flush", "all")
    got = edgectl("block", "add", "contoso.test")
    same("partners whom DNS has, too, are blocked once", (got.returncode, got.stdout, got.stderr),
         (0, f"blocked {len(answer('block', 'list'))}\n", ""))
    got = edgectl("block", "del", "contoso.test")
    same("... and all of them no more", (got.returncode, got.stdout, answer("block", "list")), (0, "removed 3\n", []))


ALLOWED = """\
#TYPE Microsoft.Rtc.Management.WritableConfig.Settings.Edge.AllowedDomain
"Identity","Domain","ProxyFqdn","VerificationLevel","Comment","MarkForMonitoring"
"contoso.test","contoso.test","","UseSourceVerification","two
lines","False"
"wingtip.test","wingtip.test","sip.contoso.test","UseSourceVerification","","False"
""".replace("\n", "\r\n")


def imports(name, text, *words, says, warns=""):
    ok(name, "partner", "import", "-", *words, says=says + "\n", warns=warns and f"edgectl: warning: -: {warns}\n",
       input="\ufeff" + text)


def unimported(name, sentence, text):
    refused(name, sentence, "partner", "import", "-", input=text)


def check_import():
    serve(*CONTOSO)
    edgectl("partner", "flush", "all")
    edgectl("partner", "add", "192.0.2.1", "name", "there")
    imports("a list", "# partners\n192.0.2.1\n192.0.2.2 # one\n\n2001:db8::/32\n192.0.2.2\n",
            says="added 2, 1 was there")
    imports("once more", "192.0.2.1\n192.0.2.2\n", says="added 0, 2 were there")
    imports("into a group, with a name", "192.0.2.1", "group", "pic", "name", "listed",
            says="added 1, 0 were there")
    imports("a table", 'Name;x;GROUPS;Address\r\n"a ""b""; c";1;"pic,xmpp";192.0.2.3\r\n;;;192.0.2.4\r\n',
            says="added 2, 0 were there", warns="columns that are not read: x")
    same("they are there", partners("covers", "192.0.2.1") + partners("covers", "192.0.2.3")
         + partners("covers", "192.0.2.4"),
         [["192.0.2.1/32", ["federation", "pic"], "listed", None],
          ["192.0.2.3/32", ["pic", "xmpp"], 'a "b"; c', None],
          ["192.0.2.4/32", ["federation"], None, None]])
    imports("what Export-Csv wrote", ALLOWED, says="added 4, 0 were there",
            warns="columns that are not read: Identity, VerificationLevel, Comment, MarkForMonitoring")
    same("domains, and a host in a domain's place",
         partners("domain", "contoso.test") + partners("domain", "host:sip.contoso.test"),
         [["198.51.100.10/32", ["federation"], None, "contoso.test"],
          ["2001:db8:1::10/128", ["federation"], None, "contoso.test"],
          ["198.51.100.10/32", ["federation"], "wingtip.test", "host:sip.contoso.test"],
          ["2001:db8:1::10/128", ["federation"], "wingtip.test", "host:sip.contoso.test"]])
    unimported("a bad line", '-:2: bad address "192.0.2"', "192.0.2.9\n192.0.2\n")
    unimported("more than one word", '-:1: unexpected word "pic"', "192.0.2.9 pic\n")
    unimported("a bad row", '-:3: unknown group "pics": did you mean pic? '
               "(federation, pic, client, messenger, xmpp, gateway)",
               "address,group\n192.0.2.9,pic\n192.0.2.8,pics\n192.0.2.7,pic\n")
    unimported("an open quote", "-:2: missing closing quote in the table",
               'address,name\n192.0.2.9,"open\n')
    unimported("an address that cannot be meant",
               "-:2: 127.0.0.1 cannot be meant: it is loopback", "192.0.2.9\n127.0.0.1\n")
    unimported("a domain that is not found", f"-:2: no.test: there is no {SIP}.no.test in DNS",
               "192.0.2.9\nno.test\n")
    got = edgectl("partner", "import", "-", text=False, input="192.0.2.9\n".encode("utf-16"))
    tap.check("UTF-16", got.returncode == 1 and b"-:1: the file is UTF-16" in got.stderr, got.stderr)
    lines = "".join(f"10.{i >> 8}.{i & 255}.0/24\n" for i in range(20000))
    imports("twenty thousand", lines, says="added 20000, 0 were there")
    same("are there", answer("status")["partners"], 20007)
    imports("of another name, they are renamed", lines, "name", "many", says="added 0, renamed 20000, 0 were there")
    imports("... once", lines + "10.255.0.0/24\n", "name", "many", says="added 1, 20000 were there")
    with open("/tmp/one", "w", encoding="ascii") as file:
        file.write("10.255.0.0/24\n")
    same("... in JSON, too", answer("partner", "import", "/tmp/one", "name", "other"), {"added": 0, "renamed": 1, "present": 0})
    unimported("a table without addresses", '-:1: the table "adress,group" has no column called address, domain or proxyfqdn',
               "adress,group\n192.0.2.9,pic\n")


def wait_for_files():
    """Commands at a terminal, whose files come later."""
    for words in ["load", "-"], ["partner", "import", "-"], ["-q", "partner", "import", "-"], ["-j", "partner", "import", "-"]:
        ours, theirs = pty.openpty()
        process = subprocess.Popen([lab.EDGECTL, "-n", "gw", *words], stdin=subprocess.PIPE, stdout=theirs, stderr=theirs)
        os.close(theirs)
        yield words, process, ours


def check_progress():
    for words, process, ours in waiting:
        line = b"partner add 192.0.2.1\n" if "load" in words else b"192.0.2.1\n"
        process.communicate(b"\n" * 65536 + line)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:     # its end
            pass
        progress, erased, rest = shown.rpartition(b"\r\x1b[K")
        if "-q" in words or "-j" in words:
            tap.check(f"{' '.join(words)}: nothing of it", b"\x1b" not in shown, shown)
        else:
            tap.check(f"{' '.join(words)}: how far it has got is shown, and taken away", progress.startswith(
                b"\rlines read: 65536\x1b[K") and erased and rest == (b"" if "load" in words else b"added 0, 1 was there\r\n"), shown)


tap = Tap()
set_up()
# What takes its time, or must have taken a second, goes on meanwhile.
mute = subprocess.Popen([lab.EDGECTL, "-n", "mute", "partner", "add", "contoso.test"], stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE, text=True)
waiting = list(wait_for_files())
monitor = subprocess.Popen([lab.EDGECTL, "-n", "gw", "monitor", "config"], stdout=subprocess.PIPE, text=True)
check_add()
check_del()
check_faults()
check_refresh()
check_import()
check_progress()
stop()
tap.done()
