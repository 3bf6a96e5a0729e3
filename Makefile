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
# installed, since a Node.js from elsewhere conflicts with Debian's npm. Debian's PostgreSQL is not on the path.
TEST_PROGRAMS = WebKitWebDriver:webkit2gtk-driver Xvfb:xvfb aiosmtpd:python3-aiosmtpd caddy:caddy \
	chromium:chromium chromedriver:chromium-driver curl:curl fish:fish git:git gnuplot:gnuplot-nox \
	groff:groff-base haproxy:haproxy http:httpie ip:iproute2 jq:jq nginx:nginx-light npm:npm \
	openssl:openssl pgbouncer:pgbouncer /usr/lib/postgresql/*/bin/postgres:postgresql \
	python3:python3-requests setpriv:util-linux \
	script:bsdutils shellcheck:shellcheck strace:strace supervisord:supervisor \
	systemd-analyze:systemd systemd-socket-activate:systemd wget:wget zsh:zsh

DATABASE_PROGRAMS = /usr/lib/postgresql/*/bin/postgres:postgresql setpriv:util-linux
CLUSTER_PROGRAMS = curl:curl haproxy:haproxy python3:python3 $(DATABASE_PROGRAMS)

# Checker of accessibility.
AXE_VERSION = 4.14.1
AXE = target/axe/node_modules/axe-core/axe.min.js

# Checker of advisories, licences and duplicate packages.
DENY_VERSION = 0.20.2
DENY = target/tools/bin/cargo-deny

# Maker of the Debian package, and the folder from which it takes all below /usr/share.
CARGO_DEB_VERSION = 3.8.0
CARGO_DEB = target/tools/bin/cargo-deb
PACKAGE_ROOT = target/package
PACKAGES = $(or $(CARGO_TARGET_DIR),target)/debian
DEB_PROFILE = $(if $(filter-out release,$(PROFILE)),--profile $(PROFILE))

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
	$(CARGO) test --package pumphouse-web-engine --lib --features model models::
	$(CARGO) build --examples
	$(CARGO) test --test suite -- --test-threads=8

.PHONY: screens
screens: toolchain test-programs ## pictures of every state of the site, in target/screens (SCREENS="huge 404")
	SCREENS="$(SCREENS)" $(CARGO) test --test suite -- --ignored --exact --nocapture \
		screens::every_state_is_rendered

.PHONY: fuzz
fuzz: toolchain ## search for inputs that break an invariant (FUZZ_SECONDS, default 300 for each target)
	FUZZ_SECONDS=$${FUZZ_SECONDS:-300} $(CARGO) test $(AS_PROFILE) --workspace --lib fuzz:: -- --nocapture

.PHONY: bench
bench: build ## compare with nginx, axum and tiny_http; fleets, history, replicas (BENCH, YEARS, REPLICAS)
	@command -v nginx >/dev/null || { test "$$(id -u)" = 0 && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			nginx-light >/dev/null; } || { \
		echo "make: nginx is missing: apt-get install nginx-light" >&2; exit 1; }
	$(CARGO) build $(AS_PROFILE) --manifest-path benches/peers/Cargo.toml --target-dir $(PEERS)
	$(CARGO) build $(AS_PROFILE) --example fleet_day
	$(PEERS)/$(notdir $(BUILT))/bench --ours $(BUILT)/pumphouse-web \
		--fleet-day $(BUILT)/examples/fleet_day \
		$(or $(BENCH),--output benches/RESULTS.md)
	$(CARGO) run $(AS_PROFILE) --quiet --example years -- $(or $(YEARS),--output benches/HISTORY.md)
	@$(MAKE) --no-print-directory test-programs TEST_PROGRAMS="$(DATABASE_PROGRAMS)"
	$(CARGO) run $(AS_PROFILE) --quiet --example replicas -- $(or $(REPLICAS),--output benches/REPLICAS.md)

.PHONY: incident
incident: toolchain ## replay the outage of a naive server, beside this one
	$(CARGO) run $(AS_PROFILE) --quiet --example incident

.PHONY: attack
attack: build ## attack a server with 5,000 hostile clients (ATTACK="--url https://127.0.0.1:6443")
	$(CARGO) run $(AS_PROFILE) --quiet --example attack -- $(or $(ATTACK),--output benches/ATTACK.md)

.PHONY: cluster
cluster: build ## three replicas, PostgreSQL and a balancer on loopback, to break (CLUSTER_PORT=6500)
	@$(MAKE) --no-print-directory test-programs TEST_PROGRAMS="$(CLUSTER_PROGRAMS)"
	tests/cluster/run.sh $(BUILT)/pumphouse-web target/cluster

.PHONY: cluster-test
cluster-test: toolchain test-programs ## every fault of replicas and their database (CLUSTER="killed")
	$(CARGO) test --test suite -- --include-ignored --nocapture --test-threads=1 cluster::$(CLUSTER)

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

# Files that `make install` copies below PREFIX, as MODE:SOURCE:DESTINATION (the other examples for shells read
# pumphouse.sh, which is not run), and those that the program
# prints, as ARGUMENTS:DESTINATION with a slash between two arguments.
SHARE = share/pumphouse-web
DOC = share/doc/pumphouse-web
ZSH = share/zsh/site-functions
LIST = $(SHARE)/installed-files
EXAMPLES = $(filter-out %.rs,$(wildcard examples/*.* examples/Caddyfile))
DOCUMENTS = README.md ARCHITECTURE.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE certs/README.md \
	tests/INVARIANTS.md $(wildcard benches/*.md)
# Symbolic links, as TARGET:DESTINATION: the documents link to examples/.
LINKED = ../../pumphouse-web:$(DOC)/examples
COPIED = $(foreach file,$(EXAMPLES),644:$(file):$(SHARE)/$(notdir $(file))) \
	$(foreach file,$(wildcard examples/sources/*),644:$(file):$(SHARE)/sources/$(notdir $(file))) \
	$(foreach file,$(wildcard examples/shell/*),$(if \
		$(filter %/pumphouse.sh,$(file)),644,755):$(file):$(SHARE)/shell/$(notdir $(file))) \
	$(foreach file,$(wildcard examples/cluster/*),644:$(file):$(SHARE)/cluster/$(notdir $(file))) \
	$(foreach file,$(wildcard examples/systemd/*),644:$(file):$(SHARE)/systemd/$(notdir $(file))) \
	$(foreach file,$(DOCUMENTS),644:$(file):$(DOC)/$(file))
PRINTED = man:share/man/man1/pumphouse-web.1 \
	completions/bash:share/bash-completion/completions/pumphouse-web \
	completions/zsh:$(ZSH)/_pumphouse-web \
	completions/fish:share/fish/vendor_completions.d/pumphouse-web.fish

INSTALLER = PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" LIST="$(LIST)" packaging/install.sh

# With borrowed rights, only what the user has built is installed: another build would need a toolchain of
# root's, and leave files of root in target/. Without Cargo, a program from elsewhere is installed.
AS_SUDO = $(or $(SUDO_UID),$(DOAS_USER),$(PKEXEC_UID))
PROGRAM = $(BUILT)/pumphouse-web
NO_PROGRAM = $(if $(wildcard $(PROGRAM)),,none)
BUILD_FIRST = $(if $(AS_SUDO),,$(if $(shell command -v $(CARGO))$(NO_PROGRAM),build))

.PHONY: install
install: $(BUILD_FIRST) ## build and install the program; with sudo after `make build` (PREFIX, DESTDIR)
	@PROGRAM="$(PROGRAM)" COPIED="$(COPIED)" LINKED="$(LINKED)" PRINTED="$(PRINTED)" $(INSTALLER) install

.PHONY: uninstall
uninstall: ## remove what `make install` put there, and nothing else (PREFIX, DESTDIR)
	@$(INSTALLER) uninstall

# The man page and the completions are printed by the program, and the examples name it by its path, so this
# installs all of it into a folder first, as Debian places it: the examples are with the documents.
.PHONY: package
package: build $(CARGO_DEB) ## make a Debian package in target/debian
	rm -rf $(PACKAGE_ROOT)
	$(MAKE) --no-print-directory install BUILD_FIRST= DESTDIR=$(PACKAGE_ROOT) PREFIX=/usr \
		SHARE=$(DOC)/examples LINKED= LIST=installed-files ZSH=share/zsh/vendor-completions >/dev/null
	$(CARGO_DEB) --no-build --variant complete --output "$(PACKAGES)/" $(DEB_PROFILE)

.PHONY: package-test
package-test: $(if $(AS_SUDO),,package) ## as root, install the package in a fresh root, start it, purge it
	@ls "$(PACKAGES)"/pumphouse-web_*.deb >/dev/null 2>&1 || { \
		echo "make: $(PACKAGES) has no package: run \`make package\` first, without sudo" >&2; exit 1; }
	@command -v mmdebstrap >/dev/null || { test "$$(id -u)" = 0 && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			mmdebstrap >/dev/null; } || { \
		echo "make: mmdebstrap is missing: apt-get install mmdebstrap" >&2; exit 1; }
	tests/package.sh "$$(ls -t "$(PACKAGES)"/pumphouse-web_*.deb | head -1)"

$(CARGO_DEB): | toolchain
	$(CARGO) install --quiet --locked --root target/tools cargo-deb@$(CARGO_DEB_VERSION)

# Oldest Rust that builds this. Debian 13 has an older one, and rustup.
RUST_VERSION = $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
GET_RUST = apt-get install rustup gcc libc6-dev make && rustup default stable, or see https://rustup.rs

# rustup's cargo runs without a toolchain, too, and fails.
.PHONY: toolchain
toolchain:
	@command -v $(CARGO) >/dev/null || { \
		echo "make: cargo is missing, of Rust $(RUST_VERSION) or newer: $(GET_RUST)" >&2; exit 1; }
	@has=$$($(CARGO) --version) || { \
		echo "make: cargo does not run; if rustup has no toolchain yet: rustup default stable" >&2; \
		exit 1; }; \
	has=$${has#cargo }; has=$${has%% *}; \
	oldest=$$(printf '%s\n' "$(RUST_VERSION)" "$${has:-$(RUST_VERSION)}" | sort -V | head -n 1); \
	test "$$oldest" = "$(RUST_VERSION)" || { \
		if command -v rustup >/dev/null; then get="rustup update stable && rustup default stable"; \
		else get="$(GET_RUST)"; fi; \
		echo "make: cargo is $$has, and this needs Rust $(RUST_VERSION) or newer: $$get" >&2; exit 1; }
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
