//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// wire is a request as it goes onto a connection: no client corrects it.
type wire struct {
	method  string   // default GET
	target  string   // the request target of HTTP/1.1, the :path of HTTP/2
	host    string   // default apiHost
	scheme  string   // :scheme of HTTP/2; default that of the connection
	headers []string // name: value, in this order
	body    string
}

const apiHost = "api.example.test"

func get(target string, headers ...string) wire { return wire{target: target, headers: headers} }

// with returns the request with more headers.
func (r wire) with(headers ...string) wire {
	r.headers = append(append([]string(nil), r.headers...), headers...)
	return r
}

// has says whether the request has a header of its own.
func (r wire) has(name string) bool {
	return slices.ContainsFunc(r.headers, func(h string) bool {
		n, _, _ := strings.Cut(h, ":")
		return strings.EqualFold(n, name)
	})
}

// way is one of the ways to the upstream.
type way struct {
	name  string
	envoy *parts.Envoy
	tls   *tls.Config // nil: plaintext
	http2 bool
}

// answer is what came back. Status is 0 if Envoy ended the connection or the stream without one.
type answer struct {
	status int
	header http.Header
	body   string
}

// echo is what the upstream saw of a request that was let through.
func (a answer) echo(t tester) parts.Echo {
	t.Helper()
	var e parts.Echo
	if err := json.Unmarshal([]byte(a.body), &e); a.status != http.StatusOK || err != nil {
		t.Fatalf("expected 200 and an echo, got %d %q", a.status, a.body)
	}
	return e
}

// send makes one request over a connection of its own.
func (w way) send(t tester, r wire) answer {
	t.Helper()
	r.method, r.host = cmp.Or(r.method, http.MethodGet), cmp.Or(r.host, apiHost)
	conn, err := w.dial()
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	speak := speakHTTP1
	if w.http2 {
		speak = w.speakHTTP2
	}
	a, err := speak(conn, r)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("%s: no answer to %s %.100s: %v", w.name, r.method, r.target, err)
	}
	return a // any other error: Envoy hung up
}

// answers is an error unless the answer has the status.
func (w way) answers(t tester, r wire, status int) error {
	t.Helper()
	if got := w.send(t, r); got.status != status {
		return fmt.Errorf("%s: %s: expected %d, got %d: %s", w.name, r.target, status, got.status, got.body)
	}
	return nil
}

func (w way) dial() (net.Conn, error) {
	if w.tls == nil {
		return net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(w.envoy.HTTPPort))
	}
	config := w.tls.Clone()
	config.ServerName, config.NextProtos = "localhost", []string{"http/1.1"}
	if w.http2 {
		config.NextProtos = []string{"h2"}
	}
	return tls.Dial("tcp", "127.0.0.1:"+strconv.Itoa(w.envoy.HTTPSPort), config)
}

func speakHTTP1(conn net.Conn, r wire) (answer, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.method, r.target, r.host)
	for _, h := range r.headers {
		b.WriteString(h + "\r\n")
	}
	if r.body != "" && !r.has("transfer-encoding") {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.body))
	}
	if !r.has("connection") {
		b.WriteString("Connection: close\r\n")
	}
	b.WriteString("\r\n" + r.body)
	if _, err := conn.Write([]byte(b.String())); err != nil {
		return answer{}, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.method})
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(resp.Body)
	return answer{resp.StatusCode, resp.Header, body.String()}, err
}

func (w way) speakHTTP2(conn net.Conn, r wire) (answer, error) {
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		return answer{}, err
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := framer.WriteSettings(); err != nil {
		return answer{}, err
	}
	if err := writeRequest(framer, r, cmp.Or(r.scheme, w.scheme())); err != nil {
		return answer{}, err
	}
	a := answer{header: http.Header{}}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return a, err
		}
		ended := false
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = framer.WriteSettingsAck() // an error shows with the next frame
			}
		case *http2.MetaHeadersFrame:
			if a.status, err = strconv.Atoi(f.PseudoValue("status")); err != nil {
				return a, err
			}
			for _, h := range f.RegularFields() {
				a.header.Add(h.Name, h.Value)
			}
			ended = f.StreamEnded()
		case *http2.DataFrame:
			a.body += string(f.Data())
			ended = f.StreamEnded()
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return a, nil
		}
		if ended {
			return a, nil
		}
	}
}

func (w way) scheme() string {
	if w.tls != nil {
		return "https"
	}
	return "http"
}

// writeRequest writes HEADERS, as many CONTINUATIONs as it takes, and DATA.
func writeRequest(framer *http2.Framer, r wire, scheme string) error {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	field := func(name, value string) { _ = encoder.WriteField(hpack.HeaderField{Name: name, Value: value}) } // into memory
	field(":method", r.method)
	field(":scheme", scheme)
	field(":authority", r.host)
	field(":path", r.target)
	for _, h := range r.headers {
		name, value, _ := strings.Cut(h, ":")
		field(strings.ToLower(name), strings.TrimPrefix(value, " "))
	}
	if r.body != "" {
		field("content-length", strconv.Itoa(len(r.body)))
	}
	const most = 16384
	for first := true; first || block.Len() > 0; first = false {
		fragment := block.Next(most)
		last := block.Len() == 0
		var err error
		if first {
			err = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fragment, EndStream: r.body == "", EndHeaders: last})
		} else {
			err = framer.WriteContinuation(1, last, fragment)
		}
		if err != nil {
			return err
		}
	}
	if r.body == "" {
		return nil
	}
	return framer.WriteData(1, true, []byte(r.body))
}
