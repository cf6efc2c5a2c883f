# One static binary, and certificates to know identity providers by.
#   docker build --tag registry.example.com/agentauth:0.1.0 .
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=v0.1.0 --tag … --push .
FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
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

FROM gcr.io/distroless/static-debian13:nonroot
COPY --from=build /agentauth /agentauth
USER 65532:65532
ENTRYPOINT ["/agentauth"]
