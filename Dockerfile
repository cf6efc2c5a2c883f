# One static binary, and certificates to know identity providers by. The digest of a base image says what it is, and is
# that of the image for all platforms; its tag says to whoever updates both which one it is.
#   docker build --tag registry.example.com/agentauth:0.1.0 .
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=v0.1.0 --tag … --push .
FROM --platform=$BUILDPLATFORM golang:1.26.8@sha256:3c3e25a4da13fd0478eed2df1eb35a0e667094a7124d3993a6a1d30f71c17e79 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY api ./api
COPY authz ./authz
COPY cmd ./cmd
COPY config/crd ./config/crd
COPY controller ./controller
COPY telemetry ./telemetry
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=
# The same sources and VERSION give the same bytes, wherever it is built: a test does as this line says.
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOFLAGS=-mod=readonly GOTOOLCHAIN=local \
    go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$VERSION" -o /agentauth ./cmd/agentauth

FROM gcr.io/distroless/static-debian13:nonroot@sha256:e2e927ec666bae08560abb3c55d0659eceabb657f56b6782ab500a9fc7f555e3
COPY --from=build /agentauth /agentauth
USER 65532:65532
ENTRYPOINT ["/agentauth"]
