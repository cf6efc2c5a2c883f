package extauthz

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/agentauth-dev/agentauth/authz"
)

// Ask is what a proxy does: it asks the server at address, in plaintext, about
// a request, within 5 seconds. The decision has what a proxy learns: outcome,
// status, headers, metadata and body, and neither reason nor identity.
func Ask(ctx context.Context, address string, raw authz.Raw) (authz.Decision, error) {
	return AskTLS(ctx, address, nil, raw)
}

// AskTLS is Ask over TLS, or in plaintext if config is nil.
func AskTLS(ctx context.Context, address string, config *tls.Config, raw authz.Raw) (authz.Decision, error) {
	var answer *authv3.CheckResponse
	err := ask(ctx, address, config, raw, func(ctx context.Context, conn *grpc.ClientConn, request *authv3.CheckRequest) (err error) {
		answer, err = authv3.NewAuthorizationClient(conn).Check(ctx, request)
		return err
	})
	if err != nil {
		return authz.Decision{}, err
	}
	return ReadAnswer(answer), nil
}

// AskExplained asks the server at address to explain its decision on a request, as
// AskTLS asks for one. The text is that of its [Explainer]. An error of the server is one
// of package status.
func AskExplained(ctx context.Context, address string, config *tls.Config, raw authz.Raw) (string, error) {
	var answer wrapperspb.StringValue
	err := ask(ctx, address, config, raw, func(ctx context.Context, conn *grpc.ClientConn, request *authv3.CheckRequest) error {
		return conn.Invoke(ctx, "/"+explainService+"/"+explainMethod, request, &answer)
	})
	return answer.GetValue(), err
}

func ask(ctx context.Context, address string, config *tls.Config, raw authz.Raw, call func(context.Context, *grpc.ClientConn, *authv3.CheckRequest) error) error {
	creds := insecure.NewCredentials()
	if config != nil {
		creds = credentials.NewTLS(config)
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // nothing is under way
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := NewCheckRequest(raw)
	if err != nil {
		return err
	}
	return call(ctx, conn, request)
}

// NewCheckRequest writes a request as Envoy does with encode_raw_headers.
func NewCheckRequest(raw authz.Raw) (*authv3.CheckRequest, error) {
	http := &authv3.AttributeContext_HttpRequest{
		Id: raw.ID, Method: raw.Method, Scheme: raw.Scheme, Host: raw.Host, Path: raw.Path,
		HeaderMap: &corev3.HeaderMap{}, RawBody: raw.Body,
	}
	add := func(name, value string) {
		http.HeaderMap.Headers = append(http.HeaderMap.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
	}
	for _, pseudo := range [][2]string{{":authority", raw.Host}, {":method", raw.Method}, {":path", raw.Path}, {":scheme", raw.Scheme}} {
		add(pseudo[0], pseudo[1])
	}
	for _, h := range raw.Headers {
		add(h.Name, h.Value)
	}
	if raw.BodyKnown {
		add(partialBody, "false")
	}
	attrs := &authv3.AttributeContext{
		Request: &authv3.AttributeContext_Request{Http: http},
		Source: &authv3.AttributeContext_Peer{Principal: raw.Source.Principal, Certificate: raw.Source.Certificate, Address: &corev3.Address{
			Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: raw.Source.Address}}}},
		ContextExtensions: raw.ContextExtensions,
	}
	if raw.TLS {
		attrs.TlsSession = &authv3.AttributeContext_TLSSession{}
	}
	metadata, err := authz.ReadMetadata(raw.Metadata)
	if err != nil {
		return nil, err
	}
	if attrs.MetadataContext, err = writeMetadata(metadata); err != nil {
		return nil, err
	}
	if r := raw.Route; r != nil {
		resource := map[string]any{"kind": r.Kind, "namespace": r.Namespace, "name": r.Name}
		if r.SectionName != "" {
			resource["sectionName"] = r.SectionName
		}
		attrs.RouteMetadataContext, err = writeMetadata(map[string]any{
			routeNamespace: map[string]any{"resources": []any{resource}}})
	}
	return &authv3.CheckRequest{Attributes: attrs}, err
}

func writeMetadata(m map[string]any) (*corev3.Metadata, error) {
	out := &corev3.Metadata{FilterMetadata: make(map[string]*structpb.Struct, len(m))}
	for namespace, v := range m {
		fields, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("metadata %s: expected an object", namespace)
		}
		s, err := structpb.NewStruct(fields)
		if err != nil {
			return nil, fmt.Errorf("metadata %s: %w", namespace, err)
		}
		out.FilterMetadata[namespace] = s
	}
	return out, nil
}

// ReadAnswer reads an answer as Envoy does.
func ReadAnswer(answer *authv3.CheckResponse) authz.Decision {
	var d authz.Decision
	if len(answer.GetDynamicMetadata().GetFields()) > 0 {
		d.Metadata = answer.GetDynamicMetadata().AsMap()
	}
	if codes.Code(answer.GetStatus().GetCode()) == codes.OK { // #nosec G115 -- a gRPC code
		d.Outcome = authz.Allow
		ok := answer.GetOkResponse()
		d.Set, d.Remove, d.RemoveQuery = readOptions(ok.GetHeaders()), ok.GetHeadersToRemove(), ok.GetQueryParametersToRemove()
		return d
	}
	denied := answer.GetDeniedResponse()
	d.Status, d.Headers, d.Body = int(denied.GetStatus().GetCode()), readOptions(denied.GetHeaders()), denied.GetBody()
	switch {
	case d.Status == 503:
		d.Outcome = authz.Error
	case d.Status < 400:
		d.Outcome = authz.Respond
	}
	return d
}

func readOptions(options []*corev3.HeaderValueOption) []authz.Header {
	var out []authz.Header
	for _, o := range options {
		out = append(out, authz.Header{Name: strings.ToLower(o.GetHeader().GetKey()), Value: o.GetHeader().GetValue()})
	}
	return out
}
