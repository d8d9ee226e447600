# The everyday commands. `make demo` and `make test` set up what they need on a machine with Go, Python 3 and make.

export GOFLAGS := -trimpath -buildvcs=false
export CGO_ENABLED ?= $(shell command -v gcc >/dev/null 2>&1 && echo 1 || echo 0)
export GORACE := atexit_sleep_ms=0

TAGS := urfave_cli_no_docs
RACE := $(if $(filter 1,$(CGO_ENABLED)),-race)
GOLANGCI := bin/golangci-lint-v2.15.0

.PHONY: demo test lint bench readers earlier crash many properties mutants nightly build clean

build: bin/barge

bin/barge: $(shell git ls-files -co --exclude-standard '*.go' '*.py' '*.txt' go.mod go.sum testdata/projects 2>/dev/null)
	go build -tags $(TAGS) -o $@ ./cmd/barge

# Plays the whole story on real notebooks and a real registry, in a throw-away copy of the example project.
demo: bin/barge
	@bin/barge demo

# Every test, race detector on; many wait more than they compute, so more run at once than there are cores. What needs the
# sandbox sets it up; when it cannot start, the tests fail.
test:
	go test $(RACE) -tags $(TAGS) -parallel 4 -timeout 18m ./...

lint: $(GOLANGCI)
	$(GOLANGCI) run --build-tags $(TAGS) ./...
	go mod tidy -diff

$(GOLANGCI):
	GOBIN=$(CURDIR)/bin/tmp go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	mv bin/tmp/golangci-lint $@

# The command as it is shipped beside git, and what the tests measure from within.
bench:
	go run ./tools/bench
	go test -run '^$$' -bench . -tags $(TAGS) ./...

# Lets skopeo and oras read what barge wrote, copy it through a registry, and barge read what they wrote. skopeo is to be on
# PATH; the others are built here, by versions that are fixed apart from the product's module.
readers: bin/readers/oras
	go test $(RACE) -tags $(TAGS) -run '^TestReaders$$' -count 1 ./cmd/barge -readers $(CURDIR)/bin/readers

bin/readers/oras: tools/readers/go.mod tools/readers/go.sum
	go build -C tools/readers -o $(CURDIR)/bin/readers/ tool

# Lets barge as it was at an earlier commit make the artifacts whose ids are written down: COMMIT=v1.0.0 for a certain one.
earlier:
	.ci/earlier $(COMMIT)

# Kills the command at every call of a promotion, a rollback and a resume and goes on in every way on another host, and
# lets every call go wrong once in every way. `make test` takes a sample of both.
crash:
	go test -tags $(TAGS) -run '^Test(Crash|Faults)$$' -count 1 -parallel 14 -timeout 150m ./cmd/barge -v -crash -faults

# Lets many processes work on one environment, or on one model, at once. `make test` takes a sample.
many:
	go test -tags $(TAGS) -run '^TestMany$$' -count 1 -timeout 90m ./cmd/barge -v -many

# Plays many more seeds of the simulation that `make test` plays some of: whole processes in virtual time, whose calls,
# clocks and lives go wrong.
properties:
	go test $(RACE) -tags $(TAGS) -run '^TestProperties$$' -count 1 -v -timeout 60m ./release -seeds 3000

# The test of the tests: takes each rule of the ledger and the pointers out of the code once, and demands that a test fails.
mutants:
	go test -tags $(TAGS) -run '^TestMutants$$' -count 1 -v -timeout 90m ./release -mutants

# Longer proofs: every test several times over, in shuffled order, and the fuzz targets for a while each.
nightly: lint readers earlier crash many properties mutants
	go test $(RACE) -tags $(TAGS) -count 3 -shuffle on -timeout 90m ./...
	.ci/fuzz 60s

clean:
	rm -rf bin dist
