# SPDX-License-Identifier: GPL-2.0-only
"""What the manual's pages say, as a reader sees it."""

import glob
import os
import re

from lab import TREE

SOURCES = os.path.join(TREE, "tools/edgectl")
PAGES = sorted(glob.glob(f"{SOURCES}/*.[58]"))


def source(page):
    with open(os.path.join(SOURCES, page), encoding="utf-8") as file:
        return file.read()


def unescaped(text):
    text = re.sub(r"\\(f.|&)", "", text).replace("\\-", "-").replace("\\(aq", "'").replace("\\(dq", '"')
    return text.replace("\\e", "\\")


def text(page):
    """Without fonts and quotes, word for word; .TP, .SS and .SH stand."""
    def plain(found):
        words = [quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', found.group(2))]
        return ("" if len(found.group(1)) == 2 else " ").join(words)

    return unescaped(re.sub(r"^\.(B|I|BR|RB|IR|RI|BI) (.*)$", plain, source(page), flags=re.M))


def examples(page):
    """What stands between .EX and .EE under EXAMPLES."""
    section = re.search(r"^\.SH EXAMPLES$(.*?)^\.SH ", source(page), re.M | re.S).group(1)
    return [unescaped(block) for block in re.findall(r"^\.EX\n(.*?)^\.EE$", section, re.M | re.S)]
