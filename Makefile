# Doudi. `make up` runs it, `make test` proves it, `make help` lists the rest.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# How shipped programs are compiled. Vet, staticcheck and the tests that build
# programs use the same, so that a new machine compiles everything once and not
# three times.
SHIPPED := -trimpath -tags=lambda.norpc,nethttpomithttp2 -buildvcs=false

.PHONY: help up demo test race check lint cover bench prove contract drill mutants load docs rules tools build deploy clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## run everything on this machine, with a stand-in world
	go run ./cmd/doudi up

demo: ## drive one emergency case through a running `make up`
	go run ./cmd/doudi demo

test: ## install pinned tools into .tools/ and run every test
	scripts/test

race: ## the attacks once more, with the race detector
	go test -race -shuffle=on -vet=off ./test/attack

check: lint ## the quick part of the tests: formatting, vet, staticcheck, the rules of the house
	go test .

lint:
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [[ -n $$unformatted ]]; then echo "not gofmt'd:"; echo "$$unformatted"; exit 1; fi
	@CGO_ENABLED=0 GOFLAGS="$(SHIPPED)" go vet ./...
	@CGO_ENABLED=0 GOFLAGS="$(SHIPPED)" go tool staticcheck ./...

cover: ## open questions of coverage: functions not fully covered in the last `make test`
	@go tool cover -func coverage/profile | awk '$$3 != "100.0%"'

bench: ## measure, and print the table of docs/benchmarks.md
	scripts/bench

prove: ## run every schedule of crashes, lost answers, outcomes and callbacks through the payment path; REPLAY='…' runs one
	go run ./test/prove $(if $(REPLAY),-replay '$(REPLAY)')

contract: ## send everything the API document allows and forbids, as every kind of caller, and hold every answer to it; SEED=… repeats, ONLY=clerk-1 is one
	scripts/tools contract
	go run ./test/contract $(if $(SEED),-seed $(SEED)) $(if $(ONLY),-only $(ONLY))

drill: ## put known mistakes into a copy of the project and demand that the tests go red
	scripts/drill

mutants: ## change the code of money, authority and masking here and there, and list what no test notices; ONLY=shared/fund runs one
	{ ulimit -v 10000000 || true; } 2>/dev/null; go run ./scripts/mutants $(ONLY)

load: ## put the whole system under every load it promises to bear, with pictures; SCALE=1 takes about an hour, QUICK=1 two minutes
	go run ./test/load -scale $${SCALE:-0.25} $(if $(QUICK),-quick)

docs: ## make docs/api/openapi.yaml, problems.md and test/stack/testdata again, after a route, a field, a fault or a template changed
	go run ./scripts/apidoc
	scripts/tools >/dev/null
	go test ./test/stack -run 'Expansion|Roles' -update

rules: ## make shared/policy/shipped and shared/staff/compiled.go again, after a region file or a policy changed
	go run ./scripts/rules

tools: ## install the pinned tools only
	scripts/tools

build: ## one zip for each Lambda function, into dist/
	scripts/build

deploy: build ## bring the stack of a region up: make deploy REGION=320400 [WITH=aws] [DRY_RUN=1]
	go run ./cmd/doudi deploy -region "$(REGION)" $(if $(WITH),-with $(WITH)) $(if $(DRY_RUN),-dry-run -offline)

clean: ## remove what the build and the tests made, not what `make up` stored
	rm -rf dist coverage
