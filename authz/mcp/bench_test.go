package mcp

import (
	"strconv"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

// callOf is a call of a tool of about so many bytes, with arguments of many members.
func callOf(size int) []byte {
	var b strings.Builder
	b.WriteString(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"},"name":"refund","arguments":{"amount":12`)
	for i := 0; b.Len() < size; i++ {
		b.WriteString(`,"field` + strconv.Itoa(i%20) + `_` + strconv.Itoa(i/20) + `":{"text":"a text of some words","n":` + strconv.Itoa(i) + `,"ok":true}`)
	}
	b.WriteString(`}}}`)
	return []byte(b.String())
}

var headersOfCall = []authz.Header{{Name: versionHeader, Value: headersRequired}, {Name: methodHeader, Value: "tools/call"}, {Name: nameHeader, Value: "refund"}}

func BenchmarkRead(b *testing.B) {
	for _, size := range []int{2 << 10, 64 << 10, 1<<20 - 100} {
		b.Run(strconv.Itoa(size>>10)+"KiB", func(b *testing.B) {
			r := request(b, callOf(size), headersOfCall...)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Read(r, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReadArguments(b *testing.B) {
	for _, size := range []int{2 << 10, 60 << 10} {
		b.Run(strconv.Itoa(size>>10)+"KiB", func(b *testing.B) {
			r := request(b, callOf(size), headersOfCall...)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				c, err := Read(r, false)
				if err != nil {
					b.Fatal(err)
				}
				if _, err = c.Arguments(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestReadingTwoKibibytesAllocatesLittle(t *testing.T) {
	r := request(t, callOf(2<<10), headersOfCall...)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Read(r, false); err != nil {
			t.Fatal(err)
		}
	}); n > 20 && !raceDetector {
		t.Errorf("reading allocates %v times, expected at most 20", n)
	}
}
