//go:build e2e

package parts

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/structpb"
)

// fakeDoor allows a request that says x-let-me: in, and remembers what it was asked.
type fakeDoor struct {
	authv3.UnimplementedAuthorizationServer
	address string
	mu      sync.Mutex
	last    *authv3.CheckRequest
}

func startFakeDoor(t *testing.T, options ...grpc.ServerOption) *fakeDoor {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Must(t, err)
	door := &fakeDoor{address: listener.Addr().String()}
	server := grpc.NewServer(options...)
	authv3.RegisterAuthorizationServer(server, door)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return door
}

func (d *fakeDoor) Check(_ context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	d.mu.Lock()
	d.last = r
	d.mu.Unlock()
	http := r.GetAttributes().GetRequest().GetHttp()
	letMe := http.GetHeaders()["x-let-me"]
	for _, h := range http.GetHeaderMap().GetHeaders() {
		if h.GetKey() == "x-let-me" {
			letMe = string(h.GetRawValue())
		}
	}
	if letMe != "in" {
		return &authv3.CheckResponse{
			Status: &status.Status{Code: int32(codes.PermissionDenied)},
			HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
				Status: &typev3.HttpStatus{Code: typev3.StatusCode_Forbidden}, Body: "denied by the fake",
			}},
		}, nil
	}
	metadata, _ := structpb.NewStruct(map[string]any{"agent": "seven"})
	return &authv3.CheckResponse{
		Status: &status.Status{Code: int32(codes.OK)},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers: []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: "x-checked-by", Value: "the fake"}}},
		}},
		DynamicMetadata: metadata,
	}, nil
}

func (d *fakeDoor) asked() *authv3.AttributeContext {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last.GetAttributes()
}

// serverFiles makes a CA and a certificate for localhost.
func serverFiles(t *testing.T, dir string) (ca *CA, certFile, keyFile string) {
	t.Helper()
	ca, err := NewCA("test")
	Must(t, err)
	pair, err := ca.Server()
	Must(t, err)
	certFile, keyFile, err = pair.Write(dir, "server")
	Must(t, err)
	return ca, certFile, keyFile
}

func startUpstream(t *testing.T) *Upstream {
	t.Helper()
	upstream, err := StartUpstream()
	Must(t, err)
	t.Cleanup(func() { _ = upstream.Stop() })
	return upstream
}

func startEnvoy(t *testing.T, config EnvoyConfig) *Envoy {
	t.Helper()
	envoy, err := StartEnvoy(t.Context(), config)
	Must(t, err)
	t.Cleanup(func() {
		if err := envoy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return envoy
}

// clients speak exactly one version of HTTP each.
func clients(config *tls.Config) map[string]*http.Client {
	speak := func(set func(*http.Protocols)) *http.Client {
		protocols := new(http.Protocols)
		set(protocols)
		return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
			TLSClientConfig: config.Clone(), Protocols: protocols, DisableKeepAlives: true,
		}}
	}
	return map[string]*http.Client{
		"HTTP/1.1": speak(func(p *http.Protocols) { p.SetHTTP1(true) }),
		"HTTP/2.0": speak(func(p *http.Protocols) { p.SetHTTP2(true); p.SetUnencryptedHTTP2(true) }),
	}
}

func call(t *testing.T, client *http.Client, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	Must(t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	Must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	Must(t, err)
	return resp, string(body)
}

func TestEnvoyAsksOverTLSAndPlaintextWithHTTP1AndHTTP2(t *testing.T) {
	dir := TestDir(t)
	ca, cert, key := serverFiles(t, dir)
	upstream, door := startUpstream(t), startFakeDoor(t)
	envoy := startEnvoy(t, EnvoyConfig{
		Dir: dir, Upstream: upstream.Address, Door: Door{Address: door.address},
		TLS: &Listener{CertFile: cert, KeyFile: key},
	})
	for protocol, client := range clients(&tls.Config{RootCAs: ca.Pool()}) {
		for _, base := range []string{envoy.HTTP(), envoy.HTTPS()} {
			t.Run(protocol+" "+base[:5], func(t *testing.T) {
				before := upstream.Count()
				resp, body := call(t, client, base+"/v1/a?b=c")
				if resp.StatusCode != http.StatusForbidden || body != "denied by the fake" || resp.Proto != protocol {
					t.Errorf("expected 403 over %s, got %d over %s: %s", protocol, resp.StatusCode, resp.Proto, body)
				}
				if upstream.Count() != before {
					t.Error("the refused request reached the upstream")
				}
				resp, body = call(t, client, base+"/v1/a?b=c", "x-let-me", "in")
				var echo Echo
				Must(t, json.Unmarshal([]byte(body), &echo))
				if resp.StatusCode != http.StatusOK || resp.Proto != protocol {
					t.Errorf("expected 200 over %s, got %d over %s", protocol, resp.StatusCode, resp.Proto)
				}
				if echo.Path != "/v1/a?b=c" || echo.Host != "localhost" || echo.Headers.Get("x-checked-by") != "the fake" {
					t.Errorf("the upstream saw %+v", echo)
				}
				scheme, _, _ := strings.Cut(base, ":")
				if got := door.asked().GetRequest().GetHttp().GetScheme(); got != scheme {
					t.Errorf("expected the door to be told scheme %s, got %s", scheme, got)
				}
			})
		}
	}
	waitFor(t, "metadata in the access log", func() error {
		log, err := os.ReadFile(envoy.AccessLog)
		if err == nil && !strings.Contains(string(log), `"agent":"seven"`) {
			err = fmt.Errorf("not in %s", log)
		}
		return err
	})
}

func waitFor(t *testing.T, what string, probe func() error) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := probe()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(pollEvery)
	}
}

func TestEnvoyPassesOnWhatItsOptionsName(t *testing.T) {
	dir := TestDir(t)
	ca, cert, key := serverFiles(t, dir)
	caFile, err := ca.Write(dir, "ca")
	Must(t, err)
	agent, err := ca.Client("spiffe://example.test/agent/7")
	Must(t, err)
	agentCert, err := tls.X509KeyPair(agent.Cert, agent.Key)
	Must(t, err)
	doorPair, err := ca.Server("agentauth.test")
	Must(t, err)
	doorCert, err := tls.X509KeyPair(doorPair.Cert, doorPair.Key)
	Must(t, err)
	proxy, err := ca.Client("spiffe://example.test/envoy")
	Must(t, err)
	proxyCert, proxyKey, err := proxy.Write(dir, "proxy")
	Must(t, err)

	door := startFakeDoor(t, grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{doorCert}, ClientCAs: ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	})))
	envoy := startEnvoy(t, EnvoyConfig{
		Dir: dir, Upstream: startUpstream(t).Address,
		Door:             Door{Address: door.address, TLS: &DoorTLS{CAFile: caFile, ServerName: "agentauth.test", CertFile: proxyCert, KeyFile: proxyKey}},
		TLS:              &Listener{CertFile: cert, KeyFile: key, ClientCAFile: caFile, RequireClient: true},
		EncodeRawHeaders: true, IncludePeerCertificate: true, KeepHostPort: true, StatusOnError: 503,
		RequestBody:        &RequestBody{MaxBytes: 1024, AllowPartial: true, AsBytes: true},
		MetadataNamespaces: []string{"envoy.filters.http.mcp"},
		ContextExtensions:  map[string]string{"policy": "shop/orders"},
		Routes: []Route{
			{Prefix: "/other", ContextExtensions: map[string]string{"policy": `a "quoted" one`}},
			{Prefix: "/unchecked", Unchecked: true},
			{Prefix: "/inherits"},
		},
		FiltersBefore: `- name: envoy.filters.http.set_metadata
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config
    metadata: [{metadata_namespace: envoy.filters.http.mcp, value: {method: tools/call}}]
`,
	})
	client := ca.HTTPClient(agentCert)
	if resp, body := call(t, client, envoy.HTTPS()+"/v1", "x-let-me", "in"); resp.StatusCode != http.StatusOK {
		t.Fatalf("expected 200, got %d: %s", resp.StatusCode, body)
	}
	asked := door.asked()
	if len(asked.GetRequest().GetHttp().GetHeaders()) != 0 || len(asked.GetRequest().GetHttp().GetHeaderMap().GetHeaders()) == 0 {
		t.Error("expected header_map and no headers")
	}
	if got, want := asked.GetRequest().GetHttp().GetHost(), fmt.Sprintf("localhost:%d", envoy.HTTPSPort); got != want {
		t.Errorf("expected host %s, got %s", want, got)
	}
	if got := asked.GetSource().GetPrincipal(); got != "spiffe://example.test/agent/7" {
		t.Errorf("principal is %q", got)
	}
	if !strings.Contains(asked.GetSource().GetCertificate(), "BEGIN%20CERTIFICATE") {
		t.Errorf("certificate is %q", asked.GetSource().GetCertificate())
	}
	if got := asked.GetMetadataContext().GetFilterMetadata()["envoy.filters.http.mcp"].GetFields()["method"].GetStringValue(); got != "tools/call" {
		t.Errorf("metadata is %v", asked.GetMetadataContext())
	}
	for path, want := range map[string]string{"/v1": "shop/orders", "/other": `a "quoted" one`, "/inherits": "shop/orders"} {
		call(t, client, envoy.HTTPS()+path)
		if got := door.asked().GetContextExtensions()["policy"]; got != want {
			t.Errorf("%s: expected context extension %s, got %s", path, want, got)
		}
	}
	if resp, _ := call(t, client, envoy.HTTPS()+"/unchecked"); resp.StatusCode != http.StatusOK {
		t.Errorf("/unchecked: expected 200, got %d", resp.StatusCode)
	}
	if resp, err := ca.HTTPClient().Get(envoy.HTTPS() + "/v1"); err == nil {
		resp.Body.Close()
		t.Error("a connection without a client certificate was served")
	}
}

func TestEnvoyAnswersForADoorThatIsShut(t *testing.T) {
	port, err := FreePort()
	Must(t, err)
	for name, c := range map[string]struct {
		failureModeAllow bool
		statusOnError    int
		want             int
	}{
		"by default":             {want: 403},
		"with status_on_error":   {statusOnError: 503, want: 503},
		"with failure_mode_open": {failureModeAllow: true, want: 200},
	} {
		t.Run(name, func(t *testing.T) {
			envoy := startEnvoy(t, EnvoyConfig{
				Dir: TestDir(t), Upstream: startUpstream(t).Address, Door: Door{Address: loopback(port)},
				FailureModeAllow: c.failureModeAllow, StatusOnError: c.statusOnError,
			})
			if resp, _ := call(t, http.DefaultClient, envoy.HTTP()+"/"); resp.StatusCode != c.want {
				t.Errorf("expected %d, got %d", c.want, resp.StatusCode)
			}
		})
	}
}

func TestAPartThatEndsBeforeItIsReadyNamesItsLogAndShowsItsEnd(t *testing.T) {
	dir := TestDir(t)
	_, err := StartEnvoy(t.Context(), EnvoyConfig{
		Dir: dir, Upstream: "127.0.0.1:1", Door: Door{Address: "127.0.0.1:2"}, FiltersBefore: "- name: no.such.filter",
	})
	if err == nil {
		t.Fatal("expected an error")
	}
	for _, want := range []string{dir + "/envoy.log", "no.such.filter", "exit status 1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q in: %v", want, err)
		}
	}
}
