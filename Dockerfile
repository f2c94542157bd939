# The bases are pinned by the digest of their index, which holds all platforms. For newer
# ones: crane digest golang:1.26-bookworm (or docker buildx imagetools inspect), and so on.
ARG GO_IMAGE=golang:1.26-bookworm@sha256:b305420a68d0f229d91eb3b3ed9e519fcf2cf5461da4bef997bf927e8c0bfd2b
# No shell and no package manager; it brings the system's root certificates, the time zones
# and the user nonroot (65532).
ARG BASE_IMAGE=gcr.io/distroless/static-debian12:nonroot@sha256:afa5c872c891853ca7fcf1f12c3edb23f7eeef36189728842dd51042ff57f7ab

# It runs where the builder runs, and compiles for where the image will.
FROM --platform=$BUILDPLATFORM $GO_IMAGE AS build
WORKDIR /src
# The compiler is the image's, and none is fetched beside it.
ENV GOTOOLCHAIN=local CGO_ENABLED=0
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# The first two are set by the builder; empty means the platform it runs on.
ARG TARGETOS TARGETARCH
ARG VERSION=dev COMMIT=unknown
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath \
    -ldflags "-s -w -X main.version=$VERSION -X main.commit=$COMMIT" \
    -o /out/driftprobe ./cmd/driftprobe && mkdir /out/state

FROM $BASE_IMAGE
ARG VERSION=dev COMMIT=unknown
LABEL org.opencontainers.image.title="driftprobe" \
      org.opencontainers.image.description="Watches hostnames from outside and says what broke, why, and what fixes it" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
COPY LICENSE THIRD_PARTY_LICENSES /
COPY --from=build /out/driftprobe /driftprobe
# For state: {file: /state/state.json}: a new volume takes its owner from here.
COPY --from=build --chown=65532:65532 /out/state/ /state/
USER 65532:65532
EXPOSE 9798
# For docker and compose; Kubernetes has probes of its own.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/driftprobe", "healthcheck"]
ENTRYPOINT ["/driftprobe"]
