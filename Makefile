# Everything that people and CI do with this repository. `make help` lists it.
SHELL := /usr/bin/env bash -o pipefail
.SHELLFLAGS := -ec
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
IMG ?= zim-operator:$(VERSION)
# Images: for which platforms to build, of which to load, and the command that loads a tar into the cluster.
PLATFORMS ?= linux/amd64,linux/arm64
ARCH ?= $(shell go env GOARCH)
LOAD ?= kind load image-archive
# Where image-tar writes, and which of what is there image-load loads.
OUT ?= dist/images
IMAGES_TO_LOAD ?= zim-operator zimsim

version_package := github.com/zim-operator/zim-operator/internal/version
ldflags := -s -w -X $(version_package).Version=$(VERSION) -X $(version_package).Commit=$(COMMIT)

# Tools are pinned in hack/tools/go.mod and built on first use.
TOOL := go tool -modfile=hack/tools/go.mod
HELM := go tool -modfile=hack/tools/helm/go.mod helm

chart := config/helm/zim-operator

# The race detector needs a C compiler.
race := $(shell command -v "$$(go env CC)" >/dev/null 2>&1 && echo -race)
# Packages with tests; the demo is run, not tested.
packages ?= ./...

##@ General

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*##"; print "Usage: make <target>"} \
		/^[a-zA-Z_0-9-]+:.*?##/ { printf "  \033[36m%-16s\033[0m %s\n", $$1, $$2 } \
		/^##@/ { printf "\n\033[1m%s\033[0m\n", substr($$0, 5) }' $(MAKEFILE_LIST)

##@ Try

.PHONY: demo
demo: build ## Run the operator against a simulator of ZIM, with a Kubernetes API server of its own, and tell what happens.
	@assets="$$(hack/controlplane/provide.sh)" && KUBEBUILDER_ASSETS="$$assets" exec bin/demo

.PHONY: observe
observe: build ## Run the demo's manager under Prometheus (which must be installed), and see each alert fire and end.
	@assets="$$(hack/controlplane/provide.sh)" && KUBEBUILDER_ASSETS="$$assets" exec bin/demo observe </dev/null

.PHONY: simulator
simulator: ## Run the simulator of ZIM (flags in ARGS; see hack/zimsim/README.md).
	go run ./hack/zimsim $(ARGS)

.PHONY: controlplane
controlplane: ## Provide etcd, kube-apiserver and kubectl under bin/k8s: downloaded, or else built (minutes, once).
	@hack/controlplane/provide.sh

##@ Build

.PHONY: build
build: ## Build manager, simulator and demo into bin/.
	@mkdir -p bin
	@echo 'Building manager, simulator and demo (usually 1 to 3 minutes the first time, seconds later)...' >&2
	@go build -trimpath -buildvcs=false -ldflags '$(ldflags)' -o bin/manager .
	@go build -trimpath -buildvcs=false -ldflags '$(ldflags)' -o bin/zimsim ./hack/zimsim
	@go build -trimpath -buildvcs=false -ldflags '$(ldflags)' -o bin/demo ./hack/demo

.PHONY: run
run: ## Run the manager against the cluster of the current KUBECONFIG (flags in ARGS).
	go run . $(ARGS)

.PHONY: docker-build
docker-build: ## Build the manager's image (IMG) with docker.
	docker build --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) -t $(IMG) .

.PHONY: image-tar
image-tar: ## Build both images as tars in OUT (dist/images), for PLATFORMS, without a Docker engine.
	@echo 'Building images (usually 3 to 6 minutes the first time, seconds later)...' >&2
	@cd hack/image && go run . -root ../.. -out '$(abspath $(OUT))' -version $(VERSION) -commit $(COMMIT) \
		-platforms $(PLATFORMS) $(if $(IMAGES),-images $(IMAGES))

.PHONY: image-load
image-load: ## Load the tars of ARCH into a cluster, each with the command LOAD (kind load image-archive).
	@for image in $(IMAGES_TO_LOAD); do \
		tar="$(OUT)/$$image-linux-$(ARCH).tar"; echo "$(LOAD) $$tar"; $(LOAD) "$$tar"; done

.PHONY: build-installer
build-installer: ## Write dist/crds.yaml (CRDs and namespace, which stay) and dist/install.yaml (the rest), with the image IMG.
	@mkdir -p dist
	@{ $(TOOL) kustomize build config/namespace; echo ---; $(TOOL) kustomize build config/crd; } >dist/crds.yaml
	@$(TOOL) kustomize build config/operator | sed 's|image: zim-operator:latest|image: $(IMG)|' >dist/install.yaml
	@echo 'Wrote dist/crds.yaml and dist/install.yaml.'

##@ Develop

.PHONY: generate
generate: ## Generate deep copies, CRDs, RBAC and the chart's copies of them.
	$(TOOL) controller-gen object:headerFile=hack/boilerplate.go.txt crd rbac:roleName=zim-operator-manager \
		paths=./api/... paths=./controllers/... output:crd:artifacts:config=config/crd/bases \
		output:rbac:artifacts:config=config/rbac
	@# The chart may not look outside itself: it gets copies.
	@mkdir -p $(chart)/crds $(chart)/files
	cp config/crd/bases/*.yaml $(chart)/crds/
	cp config/rbac/{role,leader_election_role,metrics_auth_role,view_role,edit_role,admin_role}.yaml $(chart)/files/
	cp config/components/watched-namespace/role.yaml $(chart)/files/namespaced_role.yaml
	cp config/components/namespace-deletion/cluster-role/role.yaml $(chart)/files/namespace_deletion_role.yaml
	cp config/prometheus/prometheus_rule.yaml config/grafana/zim-operator.json $(chart)/files/

.PHONY: docs
docs: ## Generate docs/api.md from the types.
	@go tool -modfile=hack/tools/docs/go.mod crd-ref-docs --source-path=api/v1alpha1 --config=hack/tools/docs/config.yaml \
		--renderer=markdown --output-path=docs/api.md --log-level=ERROR

.PHONY: fmt
fmt: ## Format the sources.
	$(TOOL) golangci-lint fmt

.PHONY: lint
lint: ## Run the linters.
	$(TOOL) golangci-lint run
	@for module in bench chaos image argocd monitoring release; do \
		echo "golangci-lint run in hack/$$module"; \
		(cd hack/$$module && $(subst hack/tools,../tools,$(TOOL)) golangci-lint run -c ../../.golangci.yml) || exit 1; done

##@ Test

.PHONY: test
test: ## Run all tests: unit, client against simulator, controllers against a real API server.
	@if [ -z '$(race)' ]; then echo 'No C compiler: the tests run without the race detector.' >&2; fi
	@assets="$$(hack/controlplane/provide.sh)" && \
		KUBEBUILDER_ASSETS="$$assets" go test $(race) -shuffle=on -timeout=20m $(packages)
	@cd hack/bench && go test $(race) -shuffle=on ./...
	@cd hack/chaos && go test $(race) -shuffle=on ./...
	@cd hack/image && go test ./...
	@# These read files outside of their modules, which the cache of results does not notice.
	@cd hack/argocd && go test -count=1 -shuffle=on ./...
	@cd hack/monitoring && go test -count=1 -shuffle=on ./...
	@cd hack/release && go test -count=1 ./...

# Each fuzz target of the repository, as "directory name".
fuzz_targets = grep -rHo '^func Fuzz[A-Za-z]*' --include='*_test.go' api controllers internal hack | \
	sed 's|/[^/]*_test.go:func | |'

.PHONY: fuzz
fuzz: ## Feed each fuzz target arbitrary input for FUZZ (30s). What fails is kept in testdata/fuzz, for make test.
	@$(fuzz_targets) | while read -r directory target; do \
		echo "== $$directory $$target"; \
		go test -C "$$directory" . -run '^$$' -fuzz "^$$target\$$" -fuzztime "$${FUZZ:-30s}" -fuzzminimizetime 10x || exit 1; done

.PHONY: explore
explore: ## Try random sequences of events on a few rooms for EXPLORE (10m), each with a seed that a failure names.
	@assets="$$(hack/controlplane/provide.sh)" && EXPLORE=$${EXPLORE:-10m} KUBEBUILDER_ASSETS="$$assets" \
		go test ./controllers -count=1 -timeout=24h -run TestControllers -ginkgo.label-filter=explore -ginkgo.v

.PHONY: deflake
deflake: ## Run the tests until one fails.
	@assets="$$(hack/controlplane/provide.sh)" && while KUBEBUILDER_ASSETS="$$assets" \
		go test $(race) -shuffle=on -count=1 -timeout=20m $(packages); do :; done

.PHONY: cover
cover: ## Run all tests and show how much of each package they reach.
	@assets="$$(hack/controlplane/provide.sh)" && KUBEBUILDER_ASSETS="$$assets" \
		go test -coverprofile=bin/cover.out -coverpkg=./api/...,./controllers/...,./internal/... $(packages)
	@go tool cover -func=bin/cover.out | tail -1

.PHONY: e2e
e2e: export LOAD := $(LOAD)
e2e: ## Install in the cluster of the current KUBECONFIG, with images loaded by LOAD, and try everything there.
	go run ./hack/e2e

##@ Measure

.PHONY: bench
bench: bin/bench ## Measure the operator against its figures, in most of an hour (BENCH=quick: under three minutes).
	@assets="$$(hack/controlplane/provide.sh)" && KUBEBUILDER_ASSETS="$$assets" exec bin/bench $(ARGS)

.PHONY: soak
soak: bin/bench ## Use an account fully, with faults, for SOAK (10m); fail on a limit answer, or if the manager grows.
	@assets="$$(hack/controlplane/provide.sh)" && KUBEBUILDER_ASSETS="$$assets" exec bin/bench soak

.PHONY: chaos
chaos: bin/chaos ## Break everything around the operator, in 26 minutes (CHAOS=quick: five); see docs/reliability.md.
	@assets="$$(hack/controlplane/provide.sh)" && KUBEBUILDER_ASSETS="$$assets" exec bin/chaos $(ARGS)

# Modules of their own: the operator does not depend on what draws plots, or breaks connections.
.PHONY: bin/chaos
bin/chaos: build
	@cd hack/chaos && go build -o ../../bin/chaos .

.PHONY: bin/bench
bin/bench: build
	@cd hack/bench && go build -o ../../bin/bench .

##@ Verify

.PHONY: verify
verify: generate docs ## Fail if generated files, module files or formatting are not up to date.
	go mod tidy
	cd hack/tools && go mod tidy
	cd hack/controlplane && go mod tidy
	cd hack/bench && go mod tidy
	cd hack/chaos && go mod tidy
	cd hack/tools/helm && go mod tidy
	cd hack/tools/docs && go mod tidy
	cd hack/image && go mod tidy
	cd hack/argocd && go mod tidy
	cd hack/monitoring && go mod tidy
	cd hack/release && go mod tidy
	@$(TOOL) golangci-lint fmt --diff
	@if [ -n "$$(git status --porcelain)" ]; then \
		echo 'Not up to date, or not committed:' >&2; git --no-pager status --short >&2; git --no-pager diff >&2; exit 1; fi

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities in what is used (needs the Go vulnerability database).
	$(TOOL) govulncheck ./...

.PHONY: sbom
sbom: build ## Write dist/sbom.cdx.json, what is in the manager and under which licences; fail on a licence that is not taken.
	@mkdir -p dist
	@cd hack/release && go run . -binary ../../bin/manager -version $(VERSION) -out ../../dist/sbom.cdx.json

.PHONY: reproducible
reproducible: ## Build the images twice, in different places, with the Go of go.mod, and fail unless they are the same. Minutes.
	@hack/release/reproducible.sh

##@ Deploy

.PHONY: install
install: ## Install the CRDs into the cluster of the current KUBECONFIG.
	kubectl apply --server-side -k config/crd

.PHONY: uninstall
uninstall: ## Remove every ZimRoom (and its room), every ZimApp, and the CRDs. The manager must run.
	kubectl delete --ignore-not-found --all --all-namespaces zimrooms.zim.zego.im
	kubectl delete --ignore-not-found --all --all-namespaces zimapps.zim.zego.im
	kubectl delete --ignore-not-found -k config/crd

.PHONY: deploy
deploy: ## Install CRDs, RBAC and the manager, with the image IMG.
	$(TOOL) kustomize build config/default | sed 's|image: zim-operator:latest|image: $(IMG)|' | \
		kubectl apply --server-side -f -

.PHONY: undeploy
undeploy: ## Remove the manager and its RBAC. CRDs, the namespace, ZimApps, ZimRooms and rooms stay.
	kubectl delete --ignore-not-found -k config/operator

##@ Clean

.PHONY: clean
clean: ## Remove everything that was built.
	rm -rf bin dist
