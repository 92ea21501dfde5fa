# shmkit: the commands a contributor types. `make help` lists them.
#
# The checks that CI runs as well stand in .ci/run, one shell function each, and
# are called from here, so that the two can't disagree.

GO ?= go
PKG ?= ./...

.DEFAULT_GOAL := help
.PHONY: help build test race short vet staticcheck fmt-check cross tidy-check clock bench bench-messages bench-field gate gate-record soak model screens ci clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## compile everything; the command becomes bin/shmkit
	$(GO) build $(PKG)
	@if [ -d cmd/shmkit ]; then $(GO) build -o bin/shmkit ./cmd/shmkit; fi

test: ## all tests but the long ones
	$(GO) test $(PKG)

race: ## the same under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race $(PKG)

short: ## the quick tests
	$(GO) test -short $(PKG)

vet: ## go vet
	$(GO) vet $(PKG)

staticcheck: ## staticcheck, at the version pinned in .ci/run
	@bash .ci/run staticcheck

fmt-check: ## fail when a file isn't formatted by gofmt
	@bash .ci/run fmt

cross: ## compile and vet everything, tests included, for the other architecture
	@bash .ci/run cross

tidy-check: ## fail when go.mod or go.sum isn't tidy
	@bash .ci/run tidy

clock: ## the tests that set the clock, on a virtual machine (installs qemu-system-x86)
	@bash .ci/run clock

bench: ## run the benchmarks
	$(GO) test -run '^$$' -bench . -benchmem $(PKG)
	$(GO) run ./benchmarks/transfer
	$(GO) run ./benchmarks/filescan
	$(GO) run ./benchmarks/standing

bench-messages: ## messages between two processes, in units of the machine's floor (needs a C compiler)
	$(GO) run ./benchmarks/messages

bench-field: ## beside other systems; writes benchmarks/RESULTS.md (installs them, as root on Debian; half an hour)
	@bash .ci/run field-install
	$(GO) run ./benchmarks/field -results benchmarks/RESULTS.md

gate: ## fail if a path takes more instructions than was recorded (benchmarks/gate/README.md says how they are counted)
	$(GO) run ./benchmarks/gate

gate-record: ## record the instructions that paths take now
	$(GO) run ./benchmarks/gate -record

soak: ## the long suites: random kills, big scripts (up to an hour)
	SHMKIT_SOAK=1 $(GO) test -count=1 -timeout 60m $(PKG)

model: ## a million random operations on the model and the kernel (about half an hour); the last line counts what was tolerated
	SHMKIT_MODEL_OPS=1000000 $(GO) test -count=1 -timeout 3h -v -run RandomScripts ./internal/model

screens: ## make the screens in README.md anew (root, or a kernel that lets users have namespaces)
	$(GO) run ./internal/screens

ci: ## everything CI does, in its order
	@bash .ci/run

clean: ## remove what the other targets made
	rm -rf bin
	$(GO) clean -testcache
