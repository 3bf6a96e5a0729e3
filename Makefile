# `make help` lists the targets.

PREFIX ?= /usr/local
DESTDIR ?=
CARGO ?= cargo

# Profile of binaries and tools, and the folder that Cargo puts them in. With PROFILE=dev the measuring
# targets reuse the build of the tests.
PROFILE ?= release
BUILT = $(or $(CARGO_TARGET_DIR),target)/$(if $(CARGO_BUILD_TARGET),$(CARGO_BUILD_TARGET)/)$(if \
	$(filter dev,$(PROFILE)),debug,$(PROFILE))
AS_PROFILE = $(if $(filter-out dev,$(PROFILE)),--profile $(PROFILE))
# With the examples, Cargo selects the same features of dependencies as for the tests; otherwise it would
# build most of them again.
AS_TESTED = $(if $(filter dev,$(PROFILE)),--bins --examples)

# Programs that the tests run, each with its Debian package. Only packages of missing programs are
# installed, since a Node.js from elsewhere conflicts with Debian's npm.
TEST_PROGRAMS = WebKitWebDriver:webkit2gtk-driver Xvfb:xvfb caddy:caddy chromium:chromium \
	chromedriver:chromium-driver curl:curl fish:fish gnuplot:gnuplot-nox groff:groff-base \
	http:httpie ip:iproute2 jq:jq nginx:nginx-light npm:npm openssl:openssl \
	python3:python3-requests \
	script:bsdutils shellcheck:shellcheck strace:strace supervisord:supervisor \
	systemd-analyze:systemd systemd-socket-activate:systemd wget:wget zsh:zsh

# Checker of accessibility.
AXE_VERSION = 4.14.1
AXE = target/axe/node_modules/axe-core/axe.min.js

# Checker of advisories, licences and duplicate packages.
DENY_VERSION = 0.20.2
DENY = target/tools/bin/cargo-deny

# Maker of the Debian package, and the folder of its man page and completions.
CARGO_DEB_VERSION = 3.8.0
CARGO_DEB = target/tools/bin/cargo-deb
PACKAGE_ROOT = target/package

# Build of the servers that `make bench` compares with.
PEERS = benches/peers/target

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: toolchain ## build, then serve a demo on https://localhost:6443 (RUN="--listen [::]:7443")
	$(CARGO) run $(AS_PROFILE) --quiet -- demo $(RUN)

.PHONY: build
build: toolchain ## build the release binary
	$(CARGO) build $(AS_PROFILE) $(AS_TESTED)

.PHONY: test
test: toolchain test-programs $(AXE) ## run every test; as root, install the programs they need
	$(CARGO) test --workspace --lib --bins
	$(CARGO) test --lib --features model models::
	$(CARGO) build --examples
	$(CARGO) test --test suite -- --test-threads=8

.PHONY: screens
screens: toolchain test-programs ## pictures of every state of the site, in target/screens (SCREENS="huge 404")
	SCREENS="$(SCREENS)" $(CARGO) test --test suite -- --ignored --exact --nocapture \
		screens::every_state_is_rendered

.PHONY: fuzz
fuzz: toolchain ## search for inputs that break an invariant (FUZZ_SECONDS, default 300 for each target)
	FUZZ_SECONDS=$${FUZZ_SECONDS:-300} $(CARGO) test $(AS_PROFILE) --lib fuzz:: -- --nocapture

.PHONY: bench
bench: build ## compare with nginx, axum and tiny_http (BENCH="--rounds 21", YEARS)
	@command -v nginx >/dev/null || { test "$$(id -u)" = 0 && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			nginx-light >/dev/null; } || { \
		echo "make: nginx is missing: apt-get install nginx-light" >&2; exit 1; }
	$(CARGO) build $(AS_PROFILE) --manifest-path benches/peers/Cargo.toml --target-dir $(PEERS)
	$(PEERS)/$(notdir $(BUILT))/bench --ours $(BUILT)/pumphouse-web \
		$(or $(BENCH),--output benches/RESULTS.md)
	$(CARGO) run $(AS_PROFILE) --quiet --example years -- $(or $(YEARS),--output benches/HISTORY.md)

.PHONY: incident
incident: toolchain ## replay the outage of a naive server, beside this one
	$(CARGO) run $(AS_PROFILE) --quiet --example incident

.PHONY: attack
attack: build ## attack a server with 5,000 hostile clients (ATTACK="--url https://127.0.0.1:6443")
	$(CARGO) run $(AS_PROFILE) --quiet --example attack -- $(or $(ATTACK),--output benches/ATTACK.md)

.PHONY: soak
soak: build ## an hour of visitors, hostile clients and reloads; checks for growth (SOAK="--seconds 600")
	$(CARGO) run $(AS_PROFILE) --quiet --example soak -- $(or $(SOAK),--output benches/SOAK.md)

.PHONY: targets
targets: build ## run every other target of this list in a short form, as CI does after the tests
	tests/targets.sh

.PHONY: lint
lint: toolchain deny ## clippy, rustfmt and rustdoc without a warning, and the supply chain
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps

# Advisories come from a repository that some machines cannot reach; the other checks need no network.
.PHONY: deny
deny: $(DENY)
	$(DENY) check bans licenses sources
	@if timeout 120 $(DENY) fetch db >/dev/null 2>&1; then \
		$(DENY) check advisories; \
	else \
		echo "make: the advisory database cannot be reached: advisories were NOT checked" >&2; \
	fi

$(DENY): | toolchain
	$(CARGO) install --quiet --locked --root target/tools cargo-deny@$(DENY_VERSION)

# Files that `make install` copies below PREFIX, as MODE:SOURCE:DESTINATION, and those that the program
# prints, as ARGUMENTS:DESTINATION with a slash between two arguments.
SHARE = share/pumphouse-web
DOC = share/doc/pumphouse-web
EXAMPLES = $(filter-out %.png %.rs,$(wildcard examples/*.* examples/Caddyfile))
DOCUMENTS = README.md ARCHITECTURE.md CHANGELOG.md SECURITY.md LICENSE certs/README.md
COPIED = 755:$(BUILT)/pumphouse-web:bin/pumphouse-web \
	$(foreach file,$(EXAMPLES),644:$(file):$(SHARE)/$(notdir $(file))) \
	$(foreach file,$(wildcard examples/sources/*),644:$(file):$(SHARE)/sources/$(notdir $(file))) \
	$(foreach file,$(wildcard examples/shell/*),755:$(file):$(SHARE)/shell/$(notdir $(file))) \
	$(foreach file,$(wildcard examples/systemd/*),644:$(file):$(SHARE)/systemd/$(notdir $(file))) \
	$(foreach file,$(DOCUMENTS),644:$(file):$(DOC)/$(file))
PRINTED = man:share/man/man1/pumphouse-web.1 \
	completions/bash:share/bash-completion/completions/pumphouse-web \
	completions/zsh:share/zsh/site-functions/_pumphouse-web \
	completions/fish:share/fish/vendor_completions.d/pumphouse-web.fish

# List of the files and folders that an installation has made, below PREFIX.
INSTALLED = $(SHARE)/installed-files

# The shells of recipes do not expand a tilde behind DESTDIR.
override PREFIX := $(patsubst ~/%,$(HOME)/%,$(PREFIX))
ROOT = $(DESTDIR)$(PREFIX)

# Root installs what a user has built: a build by root would need root's own toolchain, and would leave
# files of root in target/.
IS_ROOT = $(filter 0,$(shell id -u))
CAN_BUILD = $(shell command -v $(CARGO))
BUILD_FIRST = $(if $(IS_ROOT),,$(if $(CAN_BUILD),build,$(if $(wildcard $(BUILT)/pumphouse-web),,build)))

.PHONY: install
install: $(BUILD_FIRST) ## install the program; with sudo after `make build` (PREFIX, DESTDIR)
	@test -x "$(BUILT)/pumphouse-web" || { \
		echo "make: $(BUILT)/pumphouse-web does not exist: run \`make build\` first, without sudo" >&2; \
		exit 1; }
	@set -eu; umask 022; root="$(ROOT)"; list="$$root/$(INSTALLED)"; \
	made=$$(mktemp); trap 'rm -f "$$made"' EXIT; \
	if [ -f "$$list" ]; then grep '/$$' "$$list" >"$$made" || true; fi; \
	place() { \
		folder=$$(dirname "$$1"); \
		while [ "$$folder" != . ] && ! [ -d "$$root/$$folder" ]; do \
			echo "$$folder/" >>"$$made"; folder=$$(dirname "$$folder"); \
		done; \
		folder="$$root/$$(dirname "$$1")"; \
		{ mkdir -p "$$folder" && [ -w "$$folder" ]; } || { \
			echo "make: cannot write to $$folder: run \`sudo make install\`, or give a folder of" \
				"your own: \`make install PREFIX=~/.local\`" >&2; \
			exit 1; \
		}; \
		echo "$$1" >>"$$made"; \
	}; \
	for entry in $(COPIED); do \
		mode=$${entry%%:*}; to=$${entry##*:}; from=$${entry#*:}; from=$${from%:*}; \
		place "$$to"; \
		install -m "$$mode" "$$from" "$$root/$$to.new"; \
		mv -f "$$root/$$to.new" "$$root/$$to"; \
	done; \
	if "$(BUILT)/pumphouse-web" --version >/dev/null 2>&1; then \
		for entry in $(PRINTED); do \
			to=$${entry##*:}; \
			place "$$to"; \
			"$(BUILT)/pumphouse-web" $$(echo "$${entry%%:*}" | tr / ' ') >"$$root/$$to.new"; \
			mv -f "$$root/$$to.new" "$$root/$$to"; \
		done; \
	else \
		echo "make: $(BUILT)/pumphouse-web does not run on this machine, so its man page and" \
			"completions are left out; print them on its own: pumphouse-web man" >&2; \
	fi; \
	place "$(INSTALLED)"; \
	if [ -f "$$list" ]; then \
		grep -v '/$$' "$$list" | grep -vxF -f "$$made" | while read -r old; do \
			rm -f "$$root/$$old"; \
		done; \
	fi; \
	install -m 644 "$$made" "$$list"; \
	echo "installed in $$root: $$("$(BUILT)/pumphouse-web" --version 2>/dev/null || echo pumphouse-web)," \
		"built $$(date -r "$(BUILT)/pumphouse-web" '+%Y-%m-%d %H:%M')"; \
	[ -z "$(DESTDIR)" ] || exit 0; \
	case ":$$PATH:" in \
		*":$(PREFIX)/bin:"*) ;; \
		*) echo "$(PREFIX)/bin is not in PATH; add it: export PATH=\"$(PREFIX)/bin:\$$PATH\"" ;; \
	esac; \
	echo "next: pumphouse-web init"

.PHONY: uninstall
uninstall: ## remove what `make install` put there, and nothing else (PREFIX, DESTDIR)
	@set -eu; root="$(ROOT)"; list="$$root/$(INSTALLED)"; \
	[ -f "$$list" ] || { \
		echo "make: $$list is missing: nothing is installed there; name its PREFIX" >&2; exit 1; }; \
	known=$$(mktemp); trap 'rm -f "$$known"' EXIT; \
	grep -v -e '^/' -e '^$$' -e '\.\.' "$$list" | LC_ALL=C sort -ur >"$$known"; \
	grep -v '/$$' "$$known" | while read -r path; do rm -f "$$root/$$path"; done; \
	grep '/$$' "$$known" | while read -r path; do \
		[ ! -d "$$root/$$path" ] || rmdir --ignore-fail-on-non-empty "$$root/$$path"; \
	done; \
	if [ -n "$(DESTDIR)" ]; then \
		(cd "$(DESTDIR)" && rmdir -p --ignore-fail-on-non-empty "$(PREFIX:/%=%)"); \
		exit 0; \
	fi; \
	echo "removed pumphouse-web from $$root; configurations and data are left in their folders," \
		"such as /srv/pumphouse"

# The man page and the completions are printed by the program, so this installs it into a folder first.
.PHONY: package
package: build $(CARGO_DEB) ## make a Debian package in target/debian
	rm -rf $(PACKAGE_ROOT)
	$(MAKE) --no-print-directory install BUILD_FIRST= DESTDIR=$(PACKAGE_ROOT) PREFIX=/usr >/dev/null
	$(CARGO_DEB) --no-build --output target/debian/ --variant complete $(if $(filter-out release,$(PROFILE)),--profile $(PROFILE))

.PHONY: package-test
package-test: package ## as root, install the package in a fresh root, start it, remove it, purge it
	@command -v mmdebstrap >/dev/null || { test "$$(id -u)" = 0 && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			mmdebstrap >/dev/null; } || { \
		echo "make: mmdebstrap is missing: apt-get install mmdebstrap" >&2; exit 1; }
	tests/package.sh "$$(ls -t target/debian/pumphouse-web_*.deb | head -1)"

$(CARGO_DEB): | toolchain
	$(CARGO) install --quiet --locked --root target/tools cargo-deb@$(CARGO_DEB_VERSION)

.PHONY: toolchain
toolchain:
	@command -v $(CARGO) >/dev/null || { \
		echo "make: cargo is missing: install Rust by https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { \
		echo "make: a C compiler (cc) is missing: apt-get install gcc libc6-dev" >&2; exit 1; }

$(AXE): | test-programs
	npm install --silent --no-audit --no-fund --no-save --prefix target/axe \
		axe-core@$(AXE_VERSION)

.PHONY: test-programs
test-programs:
	@missing=; for program in $(TEST_PROGRAMS); do \
		command -v $${program%:*} >/dev/null || missing="$$missing $${program#*:}"; \
	done; \
	test -z "$$missing" && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			$$missing >/dev/null; \
	else \
		echo "make: the tests need more: apt-get install$$missing" >&2; exit 1; \
	fi
