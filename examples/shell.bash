# SPDX-License-Identifier: GPL-2.0-only
# The prompt of `make run SHELL_INSIDE=1`: whoever is root there, and edgectl's completion.

[ ! -r ~/.bashrc ] || . ~/.bashrc
. "${BASH_SOURCE[0]%/*}/../tools/edgectl/edgectl.bash"
