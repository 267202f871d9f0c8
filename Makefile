# Tools are pinned and kept outside the tree.
LINT_VERSION  := v2.12.2
REPORT_VERSION := v1.13.0
TOOLS         := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/keepsake/tools
LINT          := $(TOOLS)/golangci-lint-$(LINT_VERSION)
REPORT        := $(TOOLS)/gotestsum-$(REPORT_VERSION)
FUZZTIME      := 30s
NEMESISTIME   := 6m
FREEZES       := 20
MEMBERS       := 5.3.8 5.7.0
NEMESIS       := bin/nemesis run -config internal/nemesis/peer.yaml -duration $(NEMESISTIME)

.PHONY: help demo servers test check lint cross simulate fuzz bench bench-grid nemesis faults members claims failover

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: ## run the web shop on two servers that keep the carts themselves
	go run ./examples/webshop

servers: ## install the servers that the tests use, where they are missing
	@internal/servers/install

# What fails is run once more, alone, if it is not much: what fails twice is a failure, what fails once is
# printed to be looked into. A data race is never tried again.
RUN = $(REPORT) --format pkgname --rerun-fails=1 --rerun-fails-max-failures=6 --rerun-fails-run-root-test \
	--rerun-fails-abort-on-data-race --rerun-fails-report bin/failed-once-$@.txt --packages

# One package at a time: many start servers, some of them three, and who waits longer for a processor than
# a server may be silent is taken for dead. What takes minutes with the race detector is run without.
# Of the providers that sessions are tried with, which wait most of the time, four take their turns at once.
test: servers $(REPORT) ## install what the tests need and run all of them with the race detector
	@mkdir -p bin && rm -f bin/failed-once-*.txt
	@go list -race -test -export ./... > /dev/null # compiles with all processors, which -p 1 would not
	@$(MAKE) --no-print-directory test-races test-sessions test-clients test-sqlite test-flaws
	@for f in bin/failed-once-*.txt; do [ ! -s $$f ] || { echo "FAILED ONCE, passed when run again:"; cat $$f; }; done

.PHONY: test-races test-sessions test-clients test-sqlite test-flaws
test-races: ; $(RUN) "$$(go list ./... | grep -vxF "$$(go list ./internal/sessionapp)" | tr '\n' ' ')" -- -race -p 1 -timeout 15m
test-sessions: ; $(RUN) ./internal/sessionapp -- -race -parallel 4 -timeout 15m
test-clients: ; $(RUN) ./providers/peer -- -run ConformanceOfClients
test-sqlite: ; $(RUN) ./providers/sql -- -run 'ConformanceOnSQLite|Increments|SessionSizes'
test-flaws: ; $(RUN) ./conformance -- -timeout 15m -parallel 6 -run RuleThatAFlawBreaks

check: lint ## formatting, vet, lint, go.mod and the benchmarks' module
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	go vet ./...
	go mod tidy -diff
	cd bench && go vet ./... && go mod tidy -diff

# The cache belongs to the checkout: one that is shared remembers findings by paths that may be gone, with
# the remarks that excused them.
lint: $(LINT)
	GOLANGCI_LINT_CACHE=$(CURDIR)/bin/lint-cache $(LINT) run ./...

PLATFORMS := windows/amd64 darwin/arm64 freebsd/amd64 linux/arm64 linux/386 linux/arm

cross: ## whether everything is built on other systems, and with words of 32 bits
	@for p in $(PLATFORMS); do echo $$p; GOOS=$${p%/*} GOARCH=$${p#*/} go vet ./... || exit 1; done

simulate: ## the protocol of the grid of peers, in thousands of simulated clusters
	go test ./providers/peer/internal/sim

fuzz: ## fuzz each decoder for FUZZTIME
	@grep -rl --include='*_test.go' '^func Fuzz' . | grep -v ^./bench | while read -r file; do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$file); do \
			go test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) ./$$(dirname $$file) || exit 1; \
		done; done

bench: ## compare sessions and providers with other libraries; installs the servers
	@internal/servers/install
	cd bench && go run . 

bench-grid: ## compare the grid of peers with Redis, memcached, Hazelcast and Olric; installs the servers
	@internal/servers/install memcached hazelcast redis
	cd bench && go run ./grid

nemesis: ## hurt grids of real processes, as root their networks, too: half an hour, NEMESISTIME for each of five
	go build -o bin/ ./internal/nemesis ./conformance/sessionapp
	$(NEMESIS) -servers 3
	$(NEMESIS) -servers 3 -on-split availability -callers all -faults network
	$(NEMESIS) -servers 2 -callers others -faults network
	$(NEMESIS) -servers 3 -app bin/sessionapp
	$(NEMESIS) -servers 2 -app bin/sessionapp -callers others -faults network

claims: ## what a grid keeps when members fail and the network splits, beside Hazelcast; ten minutes
	go run ./internal/nemesis table -config internal/nemesis/peer.yaml -compare internal/nemesis/hazelcast.yaml

members: servers ## the tests of the Hazelcast provider, with members of each version in MEMBERS
	@for v in $(MEMBERS); do \
		jar=$$HOME/.m2/repository/com/hazelcast/hazelcast/$$v/hazelcast-$$v.jar; \
		[ -f $$jar ] || mvn -q -B dependency:get -Dartifact=com.hazelcast:hazelcast:$$v -Dtransitive=false || exit 1; \
		echo "members $$v:"; \
		KEEPSAKE_HAZELCAST_JAR=$$jar go test -race -count=1 -timeout 15m ./providers/hazelcast || exit 1; \
	done

failover: ## for how long clients of a grid are hindered when a member fails, beside Hazelcast; half an hour
	go run ./internal/nemesis failover -config internal/nemesis/peer.yaml -compare internal/nemesis/hazelcast.yaml

faults: servers ## hurt the servers of each provider, and write what is lost to docs/faults and docs/promises.md; half an hour, of which FREEZES take half
	@internal/servers/install faketime
	@mkdir -p bin
	KEEPSAKE_FAULTS=1 go test -count=1 -timeout 60m -v -run '^TestFault' ./providers/memcached > docs/faults/memcached.txt
	KEEPSAKE_FAULTS=1 KEEPSAKE_FREEZES=$(FREEZES) go test -count=1 -timeout 60m -v -run '^TestFault' ./providers/hazelcast > docs/faults/hazelcast.txt
	KEEPSAKE_FAULTS=1 go test -count=1 -timeout 20m -v -run '^TestFault' ./internal/nemesis > docs/faults/alone.txt
	KEEPSAKE_FAULTS=1 go test -count=1 -timeout 20m -v -run '^TestFault' ./providers/sql > docs/faults/sql.txt
	KEEPSAKE_FAULTS=1 go test -count=1 -timeout 20m -run PgBouncer ./providers/sql
	KEEPSAKE_FAULTS=1 go test -count=1 -timeout 20m -run TestAcceptance/mariadb ./internal/sessionapp
	KEEPSAKE_FAULTS=1 go test -count=1 -timeout 60m -v -run '^TestFault' ./providers/redis > docs/faults/redis.txt
	KEEPSAKE_FAULTS=1 go test -count=1 -timeout 20m -v -run '^TestFault' ./conformance/faults > bin/faults.log
	head -1 docs/faults/stores.txt > bin/faults.head && mv bin/faults.head docs/faults/stores.txt
	sed -n 's/^ *[a-z_]*\.go:[0-9]*: \(.* | .* | .* | .*\)/\1/p' bin/faults.log >> docs/faults/stores.txt
	go test -count=1 -run TestPromises . -update

$(LINT):
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv $(TOOLS)/golangci-lint $@

$(REPORT):
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) go install gotest.tools/gotestsum@$(REPORT_VERSION)
	@mv $(TOOLS)/gotestsum $@
