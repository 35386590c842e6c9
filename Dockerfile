# syntax=docker/dockerfile:1
# The manager in an image without a shell, for linux/amd64 and linux/arm64:
#   docker buildx build --platform linux/amd64,linux/arm64 -t zim-operator .
# The simulator: --target simulator.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
ARG COMMIT=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY *.go ./
COPY api/ api/
COPY controllers/ controllers/
COPY internal/ internal/
COPY hack/zimsim/ hack/zimsim/
# Cross-compiled on the build platform: no emulation.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    version=github.com/zim-operator/zim-operator/internal/version && \
    export CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH && \
    flags="-s -w -X $version.Version=$VERSION -X $version.Commit=$COMMIT" && \
    go build -trimpath -ldflags "$flags" -o /out/manager . && \
    go build -trimpath -ldflags "$flags" -o /out/zimsim ./hack/zimsim

FROM gcr.io/distroless/static:nonroot AS simulator
COPY --from=build /out/zimsim /zimsim
USER 65532:65532
ENTRYPOINT ["/zimsim"]

FROM gcr.io/distroless/static:nonroot AS manager
COPY --from=build /out/manager /manager
USER 65532:65532
ENTRYPOINT ["/manager"]
