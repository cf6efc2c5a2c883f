package jwks

import (
	"testing"
	"time"
)

func TestCacheControlShortensTheRefreshAndNeverLengthensIt(t *testing.T) {
	for header, want := range map[string]struct{ from, to time.Duration }{
		"":                             {270 * time.Second, 300 * time.Second},
		"public":                       {270 * time.Second, 300 * time.Second},
		"max-age=86400":                {270 * time.Second, 300 * time.Second},
		"max-age=99999999999999999999": {270 * time.Second, 300 * time.Second},
		"max-age=-1":                   {270 * time.Second, 300 * time.Second},
		"public, Max-Age=180":          {150 * time.Second, 180 * time.Second},
		`max-age="180"`:                {150 * time.Second, 180 * time.Second},
		"max-age=3600,max-age=180":     {150 * time.Second, 180 * time.Second},
		"s-maxage=70, max-age=180":     {150 * time.Second, 180 * time.Second},
		"max-age=60":                   {60 * time.Second, 60 * time.Second},
		"max-age=0":                    {60 * time.Second, 60 * time.Second},
		"no-store":                     {60 * time.Second, 60 * time.Second},
		"max-age=86400, no-cache":      {60 * time.Second, 60 * time.Second},
		"private , no-cache=\"x\"":     {60 * time.Second, 60 * time.Second},
	} {
		for range 100 {
			if got := untilRefresh(header); got < want.from || got > want.to {
				t.Fatalf("%q: want %s to %s, got %s", header, want.from, want.to, got)
			}
		}
	}
}
