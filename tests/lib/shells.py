# SPDX-License-Identifier: GPL-2.0-only
"""What bash, zsh and fish offer for a command line that somebody types.

bash and zsh run on a terminal and are asked to insert all that they would offer; edgectl is a
function there that says what it was called with, one word a line. fish can be asked.
"""

import os
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import time

from lab import TREE

SOURCES = os.path.join(TREE, "tools/edgectl")
PATIENCE = 60
SAYS = r"""edgectl() { printf '<%s>\n' "$@"; echo told; }"""


class Shell:
    """In a directory of its own, without anybody's settings."""

    def __init__(self):
        self.home = tempfile.mkdtemp()
        self.environment = {"PATH": f"{SOURCES}:{os.environ['PATH']}", "HOME": self.home,
                            "TERM": "dumb", "LC_ALL": "C.UTF-8"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.home)


class Terminal(Shell):
    """An interactive shell; ^T inserts all that may stand there."""

    words = start = None

    def __init__(self):
        super().__init__()
        self.pid, self.terminal = pty.fork()
        if not self.pid:
            os.chdir(self.home)
            os.execvpe(self.words[0], self.words, self.environment)
        for line in self.start:
            self.type(f"{line}\n")
        self.type(f"{SAYS}\nedgectl\n")
        self.read()

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)
        super().__exit__()

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def read(self):
        """What edgectl was called with."""
        end, text = time.monotonic() + PATIENCE, ""
        while "\ntold\n" not in text:
            if not select.select([self.terminal], [], [], max(end - time.monotonic(), 0))[0]:
                raise TimeoutError(text)
            text += os.read(self.terminal, 65536).decode(errors="replace").replace("\r", "")
        return [line[1:-1] for line in text.splitlines() if line[:1] + line[-1:] == "<>"]

    def offers(self, line):
        """Of the last word; when there is nothing to offer, what is there of it."""
        self.type(f"{line}\x14\n")
        return [word for word in self.read()[len(line.split(" ")) - 2:] if word]

    def all_offers(self, lines):
        return [self.offers(line) for line in lines]


class Bash(Terminal):
    words = ["bash", "--norc", "--noprofile", "-i"]
    start = ["PS1=; unset HISTFILE", r"""bind '"\C-t": insert-completions'""",
             f". {SOURCES}/edgectl.bash"]

    def tabs(self, line):
        """What edgectl is called with when Tab was pressed three times behind the line."""
        self.type(f"{line}\t\t\t\n")
        return self.read()

    def offers(self, line):
        """A word begins anew behind a colon: of all but the first, the shell inserts the rest."""
        typed = line.split(" ")[-1]
        head = typed[:typed.rfind(":") + 1]
        return [word if word.startswith(head) else head + word for word in super().offers(line)]


class Inside(Bash):
    """The shell of `make run SHELL_INSIDE=1`."""

    words = ["bash", "--rcfile", f"{TREE}/examples/shell.bash", "-i"]
    start = ["PS1=; unset HISTFILE", r"""bind '"\C-t": insert-completions'"""]


class Zsh(Terminal):
    words = ["zsh", "-f", "-i"]
    start = ["PS1= PS2= PROMPT_EOL_MARK=; unsetopt prompt_cr prompt_sp beep; unset zle_bracketed_paste",
             f"mkdir .zsh; cp {SOURCES}/edgectl.zsh .zsh/_edgectl; all=($fpath)",
             # To look through all that zsh can complete takes seconds.
             "fpath=($PWD/.zsh ${(M)all:#*/Completion} ${(M)all:#*/Base}); autoload -Uz compinit; compinit -u -D",
             "fpath=($all); autoload -Uz _files _path_files _list_files",
             "zstyle ':completion:*' completer _all_matches _complete; zstyle ':completion:*' insert true",
             "bindkey '^t' complete-word"]


class Fish(Shell):
    SCRIPT = "source $argv[1]; for line in $argv[2..]; complete -C $line; echo END; end"

    def all_offers(self, lines):
        answer = subprocess.run(
            ["fish", "--no-config", "-c", self.SCRIPT, f"{SOURCES}/edgectl.fish", *lines],
            env=self.environment, cwd=self.home, capture_output=True, text=True, check=True)
        return [text.splitlines() for text in answer.stdout.split("END\n")[:-1]]


SHELLS = {"bash": Bash, "zsh": Zsh, "fish": Fish}
