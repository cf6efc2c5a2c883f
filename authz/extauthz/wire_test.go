package extauthz

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/agentauth-dev/agentauth/authz"
)

func marshal(m proto.Message) []byte {
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(err)
	}
	return wire
}

// decode is what the door reads of a check.
func decode(c *authv3.CheckRequest, now time.Time) authz.Raw {
	q := &check{}
	if err := q.read(marshal(c)); err != nil {
		panic(err)
	}
	q.raw.Time = now
	return readable(q.raw)
}

// readable is a Raw whose metadata is read.
func readable(raw authz.Raw) authz.Raw {
	m, err := authz.ReadMetadata(raw.Metadata)
	if err != nil {
		panic(err)
	}
	if raw.Metadata = nil; m != nil {
		raw.Metadata = authz.MetadataMap(m)
	}
	return raw
}

// Check is a check and its answer in Envoy's types.
func (c *checker) Check(ctx context.Context, request *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	q := &check{}
	if err := (codec{onPanic: c.onPanic, onError: c.onError}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(marshal(request))}, q); err != nil {
		return nil, err
	}
	return read(c.check(ctx, q).wire)
}

func read(wire []byte) (*authv3.CheckResponse, error) {
	answer := &authv3.CheckResponse{}
	return answer, proto.Unmarshal(wire, answer)
}

func mustRead(a *response) *authv3.CheckResponse {
	answer, err := read(a.wire)
	if err != nil {
		panic(err)
	}
	return answer
}

// encoded is the answer with a decision, in Envoy's types.
func encoded(d authz.Decision) (*authv3.CheckResponse, error) {
	a, err := encode(&d)
	if err != nil {
		return nil, err
	}
	return read(a.wire)
}

// sameRaw compares what the door reads with what the library reads. The order of a
// map's names means nothing where these differ.
func sameRaw(t *testing.T, want, got authz.Raw) {
	t.Helper()
	want, got = readable(want), readable(got)
	byName := func(a, b authz.Header) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) }
	want.Headers, got.Headers = slices.Clone(want.Headers), slices.Clone(got.Headers)
	slices.SortStableFunc(want.Headers, byName)
	slices.SortStableFunc(got.Headers, byName)
	for _, raw := range []*authz.Raw{&want, &got} {
		if len(raw.Body) == 0 {
			raw.Body = nil
		}
		if len(raw.ContextExtensions) == 0 {
			raw.ContextExtensions = nil
		}
		if len(raw.Headers) == 0 {
			raw.Headers = nil
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the door reads another check than the library (-library +door):\n%s", diff)
	}
}

// FuzzDoorReadsAsTheLibrary: whatever message the library reads, the door reads, and
// the same of it, with a check that was used before.
func FuzzDoorReadsAsTheLibrary(f *testing.F) {
	texts := []string{
		``, plaintextCheck,
		http(`method: "GET" path: "/" host: "a" header_map { headers { key: ":path" raw_value: "\377" } headers { key: "a" value: "b" raw_value: "c" } headers { key: "A" } }`),
		http(`headers { key: "X-A" value: "1" } headers { key: "x-a" value: "2" } headers { key: "Content-Length" value: "1" } raw_body: "\377"
			headers { key: "content-length" value: "2" } headers { key: "x-request-id" value: "" } header_map { headers { key: "x-request-id" value: "i" } }`),
		http(`body: "ab" raw_body: "cde" headers { key: "content-length" value: "2" } header_map { headers { key: "x-envoy-auth-partial-body" value: "true" } headers { key: "x-envoy-auth-partial-body" value: "false" } }`),
		`attributes { source { address { pipe { path: "/a" } } } }`,
		`attributes { source { address { socket_address { address: "FE80::1%eth0" } } labels { key: "a" value: "b" } service: "s" certificate: "c" } destination { principal: "d" } }`,
		"attributes { route_metadata_context {" + resource(text("name", "a")) + "} tls_session { sni: \"a\" } }",
		`attributes { route_metadata_context { typed_filter_metadata { key: "envoy-gateway" value { type_url: "x" } } } metadata_context { filter_metadata { key: "a" } } }`,
	}
	var wires [][]byte
	for _, text := range texts {
		wires = append(wires, marshal(parse(f, text)))
	}
	for i, wire := range wires {
		f.Add(wire, wires[(i+1)%len(wires)])
		f.Add(slices.Concat(wire, wires[(i+2)%len(wires)]), wires[1]) // merged
	}
	f.Fuzz(func(t *testing.T, wire, before []byte) {
		want := &authv3.CheckRequest{}
		if proto.Unmarshal(wire, want) != nil {
			_ = new(check).read(bytes.Clone(wire)) // no panic
			return
		}
		for range 2 { // the second with what the first knows
			q := &check{}
			_ = q.read(bytes.Clone(before))
			known := q.known
			*q = check{mapped: q.mapped[:0], listed: q.listed[:0], extensions: q.extensions[:0], known: known}
			if err := q.read(bytes.Clone(wire)); err != nil {
				t.Fatalf("the library reads it, the door does not: %v", err)
			}
			q.raw.Time = noon
			sameRaw(t, plainDecode(want, noon), q.raw)
			before = wire
		}
	})
}

// FuzzAnswerIsThatOfTheLibrary: an answer is the one that the library writes.
func FuzzAnswerIsThatOfTheLibrary(f *testing.F) {
	f.Add(uint8(0), 0, "", "", "", "", "", "", "")
	f.Add(uint8(1), 200, "x-agent-id", "a", "authorization", "token", "agent", "a", "")
	f.Add(uint8(1), 0, "x-a", string(bytes.Repeat([]byte("b"), 200)), "X-A", "", "", "", "")
	f.Add(uint8(0), 401, "www-authenticate", "Bearer", "www-authenticate", "", "", "Basic", "{}")
	f.Add(uint8(3), 200, "content-type", "application/json", "", "", "", "", string(bytes.Repeat([]byte("b"), 20000)))
	f.Add(uint8(1), 401, "x\r\n", "\xff", "\x00", "\xff", "\xff", "\xff", "\xff")
	f.Fuzz(func(t *testing.T, outcome uint8, status int, name, value, remove, query, key, word, body string) {
		d := authz.Decision{
			Outcome: authz.Outcome(outcome), Status: status, Body: body,
			Set: []authz.Header{{Name: name, Value: value}, {Name: key, Value: word}}, Remove: []string{remove, name}, RemoveQuery: []string{query},
			Headers: []authz.Header{{Name: name, Value: value}, {Name: remove, Value: word}},
		}
		if len(key) > 3 {
			d.Metadata = map[string]any{key: word, "n": 1.5}
		}
		want, wantErr := plainEncode(d)
		a, err := encode(&d)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("expected error %v, got %v", wantErr, err)
		}
		if err != nil {
			return
		}
		got, err := read(a.wire)
		if err != nil || !proto.Equal(want, got) {
			t.Errorf("expected %v, got %v, %v", want, got, err)
		}
	})
}

func TestWhatIsReadOfACheckOutlivesTheChecksBuffer(t *testing.T) {
	buffer := marshal(parse(t, plaintextCheck))
	q := &check{}
	c := codec{onPanic: func(any, []byte) {}, onError: func(err error) { t.Error(err) }}
	if err := c.Unmarshal(mem.BufferSlice{mem.SliceBuffer(buffer)}, q); err != nil {
		t.Fatal(err)
	}
	for i := range buffer {
		buffer[i] = 'x'
	}
	q.raw.Time = noon
	sameRaw(t, plainDecode(parse(t, plaintextCheck), noon), q.raw)
}

func TestACheckThatIsUsedAgainHoldsNothingOfTheOneBefore(t *testing.T) {
	q := &check{}
	if err := q.read(marshal(parse(t, plaintextCheck))); err != nil {
		t.Fatal(err)
	}
	mapped := q.mapped
	q.release()
	for _, h := range mapped {
		if h != (authz.Header{}) {
			t.Errorf("the header %v is still held", h)
		}
	}
	q.known = known{}
	if empty := (check{mapped: mapped[:0], listed: q.listed, extensions: q.extensions[:0]}); !reflect.DeepEqual(empty, *q) {
		t.Errorf("something is left: %+v", *q)
	}
}

func TestAMalformedMessageIsNoCheck(t *testing.T) {
	field := func(number protowire.Number, b ...byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), b)
	}
	inHTTP := func(b ...byte) []byte { return field(1, field(4, field(2, b...)...)...) }
	for name, wire := range map[string][]byte{
		"a field number 0":          {0x02, 0x00},
		"a length beyond the end":   {0x0a, 0x05, 0x00},
		"a varint that never ends":  {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"a group that never ends":   {0x0b},
		"an end without a group":    {0x0c},
		"an unknown wire type":      {0x0e},
		"half a tag":                {0x80},
		"a method that is no UTF-8": inHTTP(field(2, 0xff)...),
		"a path that is no UTF-8":   inHTTP(field(4, '/', 0xff)...),
		"a header's name":           inHTTP(field(3, field(1, 0xff)...)...),
		"a header's value":          inHTTP(field(3, field(2, 0xff)...)...),
		"a listed header's name":    inHTTP(field(13, field(1, field(1, 0xff)...)...)...),
		"a text body":               inHTTP(field(11, 0xff)...),
		"an address":                field(1, field(1, field(1, field(1, field(2, 0xff)...)...)...)...),
		"a principal":               field(1, field(1, field(4, 0xff)...)...),
		"an extension":              field(1, field(10, field(2, 0xff)...)...),
		"a cut header":              inHTTP(0x1a, 0x02, 0x0a),
		"a route's metadata":        field(1, field(13, 0x0a, 0x05)...),
	} {
		var reported error
		q := &check{raw: authz.Raw{Path: "/left"}}
		err := codec{onPanic: func(any, []byte) {}, onError: func(err error) { reported = err }}.Unmarshal(mem.BufferSlice{mem.SliceBuffer(wire)}, q)
		if err != nil || !errors.Is(reported, errWire) || q.raw.Path != "" {
			t.Errorf("%s: expected an empty check and a report, got %+v, %v, %v", name, q.raw, reported, err)
		}
		if proto.Unmarshal(wire, &authv3.CheckRequest{}) == nil {
			t.Errorf("%s: the library reads it", name)
		}
	}
}

func TestMetadataThatCannotBeReadIsAnErrorForWhoReadsIt(t *testing.T) {
	bad := protowire.AppendBytes(protowire.AppendTag(nil, 11, protowire.BytesType), []byte{0x0a, 0x05})
	q := &check{}
	if err := q.read(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), bad)); err != nil {
		t.Fatal(err)
	}
	if m, err := authz.ReadMetadata(q.raw.Metadata); err == nil || m != nil {
		t.Errorf("expected an error, got %v", m)
	}
}

func TestACheckOfVeryManyNamesIsReadInTime(t *testing.T) {
	const many = 40_000
	headers := make(map[string]string, many+2)
	for i := range many {
		headers[fmt.Sprintf("a%05daa", i)] = "" // equal in all that nameSet looks at
	}
	headers["x-id"], headers["X-ID"] = "1", "2"
	wire := marshal(&authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
		Http: &authv3.AttributeContext_HttpRequest{Headers: headers}}}})
	start := time.Now()
	q := &check{}
	if err := q.read(slices.Concat(wire, wire)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("reading %d names took %v", many, took)
	}
	inOrder := slices.IsSortedFunc(q.raw.Headers, func(a, b authz.Header) int { return strings.Compare(a.Name, b.Name) })
	if len(q.raw.Headers) != many+2 || !inOrder {
		t.Errorf("expected each of %d names once and in order, got %d, in order: %v", many+2, len(q.raw.Headers), inOrder)
	}
}

func TestMetadataInVeryManyPartsIsReadInTime(t *testing.T) {
	const many = 200_000
	entry := marshal(&corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"a": {}}})
	var attributes []byte
	for range many {
		for _, field := range []protowire.Number{11, 13} { // metadata_context, route_metadata_context
			attributes = protowire.AppendBytes(protowire.AppendTag(attributes, field, protowire.BytesType), entry)
		}
	}
	wire := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), attributes)
	before := bytes.Clone(wire)
	start := time.Now()
	q := &check{}
	if err := q.read(wire); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("reading %d parts took %v", many, took)
	}
	if read, err := authz.ReadMetadata(q.raw.Metadata); err != nil || len(read) != 1 || !bytes.Equal(wire, before) {
		t.Errorf("got %v and error %v, the check unchanged: %v", read, err, bytes.Equal(wire, before))
	}
}
