VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
IMAGE   ?= driftprobe:$(VERSION)
FUZZ    ?= 200000x

.PHONY: help build test race fuzz soak test-real lint bench cost demo manifests licenses image image-check dashboard-check clean
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
build: ## build the static binary ./driftprobe
	CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o driftprobe ./cmd/driftprobe
test: ## run the tests
	go test ./...
race: ## run the tests with the race detector
	go test -race ./...
fuzz: ## fuzz what reads packets and judges, FUZZ executions a target
	for f in $$(go test -list '^Fuzz' ./dnscheck | grep ^Fuzz); do go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZ) ./dnscheck || exit 1; done
soak: ## the long tests, half an hour (root; packages: see .ci/run); docs/soak.md has results
	go test -count=1 -run NothingIsLeftBehind ./probe -probes 10000
	go test -count=1 -run HealthyRounds ./internal/diagnose -rounds 100000
	cd test && DRIFTPROBE_SOAK=long go test -count=1 -v -run NoAlertIsLost -parallel 1 -timeout 60m .
test-real: ## run the tests on real servers (root; packages: see .ci/run)
	cd test && go test -count=1 ./...
lint: ## check format, vet and linters (golangci-lint in PATH)
	test -z "$$(gofmt -l .)" && go vet ./... && golangci-lint run ./... && cd test && golangci-lint run ./...
bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...
cost: ## processor time and memory per target, beside a bare handshake (2 min)
	go test -run '^$$' -bench Cost -benchtime 1x ./cmd/driftprobe
demo: build ## play the outage that driftprobe exists for, on loopback addresses
	./driftprobe demo
image: ## build the container image
	docker build --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) -t $(IMAGE) .
image-check: ## build the image with buildah from imported bases and run what is in it (root, Debian, 5 min)
	.ci/image-check
dashboard-check: ## compile the dashboard against Grafana's published schema (node, npm registry; half a minute)
	.ci/dashboard-check
manifests: ## write deploy/manifests from the chart
	for f in driftprobe networkpolicy; do deploy/manifests/generate.sh $$f.yaml > deploy/manifests/$$f.yaml.new && mv deploy/manifests/$$f.yaml.new deploy/manifests/$$f.yaml || exit 1; done
licenses: ## write THIRD_PARTY_LICENSES
	go test ./cmd/driftprobe -run ThirdPartyLicenses -update-docs
clean: ## remove what build and tests leave
	rm -rf driftprobe dist coverage.html *.out *.prof *.test
