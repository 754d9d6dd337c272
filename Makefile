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

# Under PREFIX, where each shell looks.
BASH_COMPLETION := share/bash-completion/completions/edgectl
ZSH_COMPLETION := share/zsh/site-functions/_edgectl
FISH_COMPLETION := share/fish/vendor_completions.d/edgectl.fish

# What DKMS builds from: no tests.
SOURCES := Kbuild Makefile dkms.conf kmod/Kbuild $(filter-out %_test.c %.mod.c,$(wildcard kmod/*.c)) \
	$(wildcard kmod/*.h kmod/uapi/*.h kmod/compat/*/*.h)

# Installed, not enabled.
UNITS := $(wildcard packaging/systemd/*.service packaging/systemd/*.timer)

RUNGS := lint kunit debug kernels oracle faults fuzz hostile

.PHONY: all module tools run check bench $(RUNGS:%=check-%) check-deb check-appliance deb install install-source uninstall clean \
	clean-module help

all: module tools ## build the module and the tool

module: ## build nf_edge.ko (KDIR=: for the kernel whose build tree this is)
	$(MAKE) -C "$(KDIR_FOUND)" M="$(CURDIR)" modules

tools: ## build edgectl
	$(MAKE) -C tools/edgectl

run: ## show the whole policy at work (SHELL_INSIDE=1: and stay at a prompt); installs packages
	tests/lib/install run
	$(MAKE) all
	NF_EDGE_COLOUR=$(if $(NO_COLOR),0,$(if $(MAKE_TERMOUT),1,0)) tests/lib/appliance $(if $(SHELL_INSIDE),-i) examples/demo.py $(if $(SHELL_INSIDE),--shell)

check: ## pass the tests: every rung of the proof; installs packages
	tests/lib/install check
	$(MAKE) all
	tests/run

bench: ## measure it beside nftables and iptables with ipset (RESULTS=bench.json); installs packages
	tests/lib/install bench
	$(MAKE) tools
	tests/bench/run.py $(or $(RESULTS),bench.json)

$(RUNGS:%=check-%): ## one rung of the proof: lint, kunit, debug, kernels, oracle, faults, fuzz or hostile
	tests/lib/install check
	$(MAKE) tools
	tests/run $(@:check-%=%)

check-deb: ## the Debian packages, built twice, and DKMS: installed and removed in roots of Debian releases
	tests/lib/install check
	tests/run deb

check-appliance: ## Debian 12 and 13 machines, booted: from apt install to apt purge, with all that may fail at boot
	tests/lib/install check
	tests/run appliance

deb: ## build the Debian packages into deb/, from the files that git knows
	packaging/build-deb deb

install: tools install-source ## install module (by DKMS; KVER=: for that kernel) and tool under PREFIX; DESTDIR= builds nothing
	$(if $(DESTDIR),,dkms install $(if $(KVER),-k $(KVER)) nf-edge/$(VERSION))
	install -D tools/edgectl/edgectl $(DESTDIR)$(PREFIX)/sbin/edgectl
	install -D -m 644 tools/edgectl/edgectl.8 $(DESTDIR)$(PREFIX)/share/man/man8/edgectl.8
	install -D -m 644 tools/edgectl/nf_edge-policy.5 $(DESTDIR)$(PREFIX)/share/man/man5/nf_edge-policy.5
	install -D -m 644 Documentation/schemas/edgectl.json $(DESTDIR)$(PREFIX)/share/nf_edge/edgectl.json
	install -D -m 644 tools/edgectl/edgectl.bash $(DESTDIR)$(PREFIX)/$(BASH_COMPLETION)
	install -D -m 644 tools/edgectl/edgectl.zsh $(DESTDIR)$(PREFIX)/$(ZSH_COMPLETION)
	install -D -m 644 tools/edgectl/edgectl.fish $(DESTDIR)$(PREFIX)/$(FISH_COMPLETION)
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	for unit in $(notdir $(UNITS)); do \
		sed 's,/usr/local/,$(PREFIX)/,g' packaging/systemd/$$unit >$(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit || exit; \
	done
	chmod 644 $(patsubst packaging/systemd/%,$(DESTDIR)$(PREFIX)/lib/systemd/system/%,$(UNITS))
	install -d $(DESTDIR)$(PREFIX)/libexec/nf_edge $(DESTDIR)/etc/nf_edge
	install packaging/boot/* $(DESTDIR)$(PREFIX)/libexec/nf_edge

install-source:
	install -d $(DKMS_SOURCE)
	cp --parents $(SOURCES) $(DKMS_SOURCE)
	chmod -R u=rwX,go=rX $(DKMS_SOURCE)

uninstall: ## undo `make install`
	-dkms remove nf-edge/$(VERSION) --all
	rm -rf $(DKMS_SOURCE)
	rm -rf $(DESTDIR)$(PREFIX)/share/nf_edge
	rm -f $(DESTDIR)$(PREFIX)/sbin/edgectl $(DESTDIR)$(PREFIX)/share/man/man8/edgectl.8 \
		$(DESTDIR)$(PREFIX)/share/man/man5/nf_edge-policy.5 \
		$(addprefix $(DESTDIR)$(PREFIX)/,$(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION)) \
		$(patsubst packaging/systemd/%,$(DESTDIR)$(PREFIX)/lib/systemd/system/%,$(UNITS))
	rm -rf $(DESTDIR)$(PREFIX)/libexec/nf_edge
	-rmdir --ignore-fail-on-non-empty $(DESTDIR)/etc/nf_edge

clean: clean-module ## remove what was built
	$(MAKE) -C tools/edgectl clean
	rm -rf deb

clean-module:
	$(MAKE) -C "$(KDIR_FOUND)" M="$(CURDIR)" clean

help: ## list the targets
	@sed -n -e 's/^$$(RUNGS.*:\( ## \)/check-RUNG:\1/' -e 's/^\([A-Za-z-]*\):.*## \(.*\)/\1\t\2/p' \
		$(MAKEFILE_LIST) | expand -t 16
