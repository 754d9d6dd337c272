#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What `edgectl stats --openmetrics` prints suits its readers, and what reads it suits it.

edgectl runs on the kernel that the parser's fuzzer gives it, in which every counter has a number.
Its output is read by the reference parser of OpenMetrics, by promtool, which knows the older text
format, and by the shell line of the systemd unit; the dashboard asks for nothing else.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as older_families

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, os.path.join(TREE, "tests/lib"))
from tap import Tap  # noqa: E402

DASHBOARD, UNITS = "packaging/grafana/nf_edge.json", "packaging/systemd/*.*"
SERVICE = "packaging/systemd/nf_edge-metrics.service"
MOMENT = ("nf_edge_policy_change_timestamp_seconds",)	# to a kernel without memory: now
WORDS = {"row", "class", "reason", "instance", "mode", "unlisted"}	# labels, that expressions may name


def names(kind):
    """A list of the uapi header: [(number, name)]."""
    with open("kmod/uapi/nf_edge.h", encoding="utf-8") as file:
        text = file.read().replace("\\\n", " ")
    return enumerate(re.findall(r'X\(\w+,\s*"([^"]+)"\)', re.search(rf"#define NF_EDGE_{kind}S\(X\)(.*)", text)[1]))


def samples(families):
    return {(sample.name, *sorted(sample.labels.items())): float(sample.value)
            for family in families for sample in family.samples}


def wanted_counters():
    """What tests/fuzz/parser/kernel.c counts."""
    for number, row in names("ROW"):
        labels = (("class", "sip"), ("row", row))
        yield ("nf_edge_row_packets_total", *labels), 1000 + number
        yield ("nf_edge_row_bytes_total", *labels), float(2 ** 64 - 1 - (number << 20))
        yield ("nf_edge_row_flows_total", *labels), 2000 + number
    for number, reason in names("REASON"):
        yield ("nf_edge_drop_packets_total", ("reason", reason)), 3000 + number
        yield ("nf_edge_drop_bytes_total", ("reason", reason)), 4000 + number


def promtool(*words, text=""):
    run = subprocess.run([PROMTOOL, *words], input=text, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout + run.stderr


def shell_line():
    """The script of the service's ExecStart, as systemd hands it to the shell."""
    with open(SERVICE, encoding="utf-8") as file:
        script = re.search(r"^ExecStart=/bin/sh -uc '(.*?)'$", file.read(), re.M | re.S)[1]
    return script.replace("\\\n", " ").replace("\\\\", "\\").replace("%%", "%")


def service(path, directory, options=""):
    """Runs it; the exit status, and what lies in the directory then."""
    status = subprocess.run(["sh", "-uc", shell_line()], env={"PATH": f"{path}:/usr/bin:/bin", "TEXTFILES": directory, "OPTIONS": options},
                            capture_output=True, check=False).returncode
    files = {}
    for name in os.listdir(directory):
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            files[name] = file.read()
    return status, files


def expressions(dashboard):
    """(where, expression) of everything that it asks for."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


def dashboard_faults(dashboard, printed):
    places = [[panel["gridPos"][key] for key in "xywh"] for panel in dashboard["panels"]]
    taken = [(at_x, at_y) for x, y, w, h in places for at_x in range(x, x + w) for at_y in range(y, y + h)]
    if len(taken) != len(set(taken)) or max(x for x, _ in taken) > 23:
        yield "panels overlap"
    if len({panel["id"] for panel in dashboard["panels"]}) != len(dashboard["panels"]):
        yield "two panels have one id"
    for where, expression in expressions(dashboard):
        for name in re.findall(r"\bnf_edge\w*", expression):
            if name not in printed:
                yield f"{where}: edgectl prints no {name}"
        for label in re.findall(r"by \((\w+)\)|(\w+)=~?\"", expression):
            if not set(label) & WORDS:
                yield f"{where}: nothing has a label {label}"
    text = json.dumps(dashboard)
    sources = re.findall(r'"datasource": \{[^}]*?"uid": "([^"]*)"', text)
    if not sources or set(sources) != {"${datasource}"}:
        yield f"a data source that is no variable: {set(sources)}"
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    for name in set(re.findall(r"\$\{?(\w+)", text)) - variables - {"__rate_interval", "__all"}:
        yield f"a variable that it does not have: {name}"


def rules(dashboard):
    """Its expressions as a file of rules, which promtool can check."""
    return json.dumps({"groups": [{"name": "dashboard", "rules": [
        {"record": f"dashboard:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, (_, expression) in enumerate(expressions(dashboard))]}]})


os.chdir(TREE)
tap = Tap()
scratch = tempfile.mkdtemp()
PROMTOOL = subprocess.run(["tests/lib/promtool"], capture_output=True, text=True, check=True).stdout.strip()
subprocess.run(["make", "-s", "-C", scratch, "-f", f"{TREE}/tests/fuzz/parser/Makefile", f"TREE={TREE}", "edgectl"],
               check=True)
edgectl = os.path.join(scratch, "edgectl")
text = subprocess.run([edgectl, "stats", "--openmetrics"], capture_output=True, text=True, check=True).stdout

families = list(text_string_to_metric_families(text))
found = samples(families)
tap.check("OpenMetrics' own parser reads it", families)
wanted = dict(wanted_counters())
tap.check("every counter of every row and reason has its sample", wanted and all(
    found.get(key) == value for key, value in wanted.items()), set(wanted.items()) - set(found.items()))
tap.check("and no other has", not [key for key in found if key[0].endswith("_total") and key not in wanted])
tap.check("every family has its help", all(family.documentation for family in families))
states = [key for key, value in found.items() if key[0] in ("nf_edge_mode", "nf_edge_unlisted") and value]
tap.check("one mode, and one fate of what is unlisted, is in force", len(states) == 2, states)
busy = subprocess.run([edgectl, "stats", "--openmetrics", "--partners", "2"], capture_output=True, text=True,
                      check=True).stdout
partners = {key: value for key, value in samples(text_string_to_metric_families(busy)).items() if "partner_p" in key[0]}
tap.check("the busiest partners are told, each once, with all of its groups", partners == {
    ("nf_edge_partner_packets_total", ("address", "198.51.100.7/32"), ("groups", "federation,xmpp"), ("name", "contoso")): 9,
    ("nf_edge_partner_packets_total", ("address", "198.51.100.0/24"), ("groups", "pic"),
     ("name", 'voice "provider" \\ <U+202E>')): 7}, partners)
for number in "0", "1001", "many":
    refused = subprocess.run([edgectl, "stats", "--openmetrics", "--partners", number], capture_output=True, text=True,
                             check=False)
    tap.check(f"{number} partners are not taken", (refused.returncode, refused.stderr) == (
        2, f'edgectl: bad number of partners "{number}" (1 to 1000)\n'), refused)
refused = subprocess.run([edgectl, "-j", "stats", "--openmetrics"], capture_output=True, text=True, check=False)
tap.check("it is not JSON, and says so", refused.returncode == 2 and refused.stderr.count("\n") == 1, refused)

status, said = promtool("check", "metrics", text=text)
tap.check("readers of the older format take it, and miss but the counters' help", status in (0, 3) and all(
    line.endswith("_total no help text") for line in said.splitlines()), status, said)
tap.check("they find the same samples", samples(older_families(text)) == found)

textfiles = os.path.join(scratch, "textfiles")
os.mkdir(textfiles)
status, files = service(scratch, textfiles)
tap.check("the service writes one file", status == 0 and list(files) == ["nf_edge.prom"], status, list(files))
status, said = promtool("check", "metrics", text=files.get("nf_edge.prom", ""))
tap.check("promtool has nothing to say against it", status == 0 and not said, status, said)
older = list(older_families(files.get("nf_edge.prom", "")))
tap.check("its counters are counters there", {**samples(older), MOMENT: 0} == {**found, MOMENT: 0} and
          {family.type for family in older} == {"counter", "gauge"}, {family.name: family.type for family in older})
status, files = service(scratch, textfiles, "--partners 3")
found_there = samples(older_families(files.get("nf_edge.prom", "")))
tap.check("with the busiest partners, when it is told so", status == 0 and found_there.items() >= partners.items()
          and len(found_there) == len(found) + 3, status, found_there)
status, said = promtool("check", "metrics", text=files.get("nf_edge.prom", ""))
tap.check("... promtool has nothing to say against that", status == 0 and not said, status, said)
os.mkdir(os.path.join(scratch, "broken"))
with open(os.path.join(scratch, "broken/edgectl"), "w", encoding="utf-8") as file:
    file.write("#!/bin/sh\necho '# TYPE half'\nexit 1\n")
os.chmod(os.path.join(scratch, "broken/edgectl"), 0o755)
status, files = service(os.path.join(scratch, "broken"), textfiles)
tap.check("when edgectl fails, so does it, and leaves nothing stale", status and not files, status, list(files))

if shutil.which("systemd-analyze"):
    verified = subprocess.run(["systemd-analyze", "verify", "--man=no", *sorted(glob.glob(UNITS))],
                              capture_output=True, text=True, check=False)
    tap.check("systemd understands the units", verified.returncode == 0 and not verified.stderr, verified.stderr)
else:
    tap.skip("systemd understands the units", "no systemd-analyze here")

with open(DASHBOARD, encoding="utf-8") as file:
    dashboard = json.load(file)
printed = {key[0] for key in found}
faults = list(dashboard_faults(dashboard, printed))
tap.check("the dashboard asks for what edgectl prints", not faults, *faults)
asked = set(re.findall(r"\bnf_edge\w*", json.dumps(dashboard["panels"]) + "nf_edge_info"))
tap.check("and for all of it", asked >= printed, printed - asked)
with open(os.path.join(scratch, "rules.json"), "w", encoding="utf-8") as file:
    file.write(rules(dashboard))
status, said = promtool("check", "rules", os.path.join(scratch, "rules.json"))
tap.check("promtool understands its expressions", status == 0, said)
shutil.rmtree(scratch)
tap.done()
