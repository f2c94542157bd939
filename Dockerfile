FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# The first two are set by the builder; empty means the platform it runs on.
ARG TARGETOS TARGETARCH
ARG VERSION=dev COMMIT=unknown
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath \
    -ldflags "-s -w -X main.version=$VERSION -X main.commit=$COMMIT" \
    -o /out/driftprobe ./cmd/driftprobe

# No shell and no package manager; it brings the system's root certificates and
# the user nonroot (65532).
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/driftprobe /driftprobe
USER 65532:65532
ENTRYPOINT ["/driftprobe"]
