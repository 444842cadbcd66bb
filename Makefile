.DEFAULT_GOAL := help
.PHONY: help run test check types ui dev bench measure reach fuzz audit deb windows test-windows test-sites

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## the demo peer in a window (without a display: in a browser), with a neighbor to visit
	@scripts/run

test: ## every check; STEPS="clippy rust" runs only these
	@scripts/test $(STEPS)

check: ## format, lints and unit tests of one crate, fast: CRATE=goop2-proto
	@cargo fmt -p $(or $(CRATE),goop2) --check
	@cargo clippy -p $(or $(CRATE),goop2) --all-targets -- -D warnings
	@cargo test -p $(or $(CRATE),goop2)

types: ## the TypeScript types of the UI, from the Rust ones
	@scripts/types

ui: ## the UI alone
	@bash -c '. scripts/lib.sh; need_node; build_ui'

dev: ## the UI with invented peers, reloading as you edit
	@bash -c '. scripts/lib.sh; need_node; npm_packages ui; npm run --prefix ui dev:mock'

bench: ## the figures that we claim, measured here in release; BENCH=rendezvous measures only these
	@cargo bench -p goop2 --no-default-features $(addprefix --bench ,$(BENCH))

measure: ## every promise in time and smoothness against what is seen here; PARTS="lab browser" measures only these
	@scripts/measure $(PARTS)

reach: ## who reaches whom: every pair of peers behind routers of every kind
	@cargo test --quiet --test lab -- --exact --nocapture reach::matrix::every_pair_connects

fuzz: ## every decoder, for SECONDS=60 each
	@scripts/fuzz $(or $(SECONDS),60)

audit: ## known holes in what we depend on; asks the advisory databases
	@scripts/audit

deb: ## a Debian package of the desktop app; scripts/test-deb shows that it installs, starts and goes
	@scripts/deb

windows: ## Goop2 for Windows, with its window and without, built here: two zips
	@scripts/windows

test-windows: ## the program for Windows, under Wine, among peers on Linux
	@scripts/test-windows

test-sites: ## what Vite, VitePress and Eleventy build, visited at a peer in a browser
	@scripts/test-sites
