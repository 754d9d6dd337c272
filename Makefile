# SPDX-License-Identifier: GPL-2.0-only
# `make help` lists the targets.

KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local

VERSION := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
DKMS_SOURCE := $(DESTDIR)/usr/src/nf-edge-$(VERSION)

# Where the running kernel cannot load modules, build for Debian's stock kernel,
# which is the one that `make run` and `make check` boot.
STOCK_HEADERS = $(lastword $(sort $(wildcard /usr/src/linux-headers-*-amd64)))
KDIR_FOUND = $(if $(wildcard $(KDIR)),$(KDIR),$(if $(STOCK_HEADERS),$(STOCK_HEADERS),$(KDIR)))

RUNGS := lint kunit debug kernels oracle faults fuzz

.PHONY: all module tools run check bench $(RUNGS:%=check-%) install uninstall clean clean-module help

all: module tools ## build the module and the tool

module: ## build nf_edge.ko (KDIR=: for the kernel whose build tree this is)
	$(MAKE) -C "$(KDIR_FOUND)" M="$(CURDIR)" modules

tools: ## build edgectl
	$(MAKE) -C tools/edgectl

run: ## show the whole policy at work (SHELL_INSIDE=1: and stay at a prompt); installs packages
	tests/lib/install run
	$(MAKE) all
	$(if $(MAKE_TERMOUT),NF_EDGE_COLOUR=1) tests/lib/appliance $(if $(SHELL_INSIDE),-i) examples/demo.py $(if $(SHELL_INSIDE),--shell)

check: ## pass the tests: every rung of the proof; installs packages
	tests/lib/install check
	$(MAKE) all
	tests/run

bench: ## measure it beside nftables and iptables with ipset (RESULTS=: a file for all figures); installs packages
	tests/lib/install bench
	$(MAKE) tools
	tests/bench/run.py $(RESULTS)

$(RUNGS:%=check-%): ## one rung of the proof: lint, kunit, debug, kernels, oracle, faults or fuzz
	tests/lib/install check
	$(MAKE) tools
	tests/run $(@:check-%=%)

install: tools ## install module (by DKMS; KVER=: for that kernel) and tool under PREFIX; DESTDIR= builds nothing
	install -d $(DKMS_SOURCE)
	cp -r Kbuild Makefile dkms.conf kmod $(DKMS_SOURCE)
	$(MAKE) -C $(DKMS_SOURCE) --no-print-directory clean-objects
	$(if $(DESTDIR),,dkms install $(if $(KVER),-k $(KVER)) nf-edge/$(VERSION))
	install -D tools/edgectl/edgectl $(DESTDIR)$(PREFIX)/sbin/edgectl
	install -D -m 644 tools/edgectl/edgectl.8 $(DESTDIR)$(PREFIX)/share/man/man8/edgectl.8
	install -D -m 644 tools/edgectl/edgectl.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/edgectl

uninstall: ## undo `make install`
	-dkms remove nf-edge/$(VERSION) --all
	rm -rf $(DKMS_SOURCE)
	rm -f $(DESTDIR)$(PREFIX)/sbin/edgectl $(DESTDIR)$(PREFIX)/share/man/man8/edgectl.8 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/edgectl

clean: clean-module ## remove what was built
	$(MAKE) -C tools/edgectl clean

clean-module:
	$(MAKE) -C "$(KDIR_FOUND)" M="$(CURDIR)" clean

clean-objects:
	find . \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' -o -name '.*.cmd' \
		-o -name Module.symvers -o -name modules.order \) -delete

help: ## list the targets
	@sed -n -e 's/^$$(RUNGS.*:\( ## \)/check-RUNG:\1/' -e 's/^\([A-Za-z-]*\):.*## \(.*\)/\1\t\2/p' \
		$(MAKEFILE_LIST) | expand -t 12
