//go:build e2e

package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// evidence is a directory with the log and the metrics of every agentauth that ran.
var evidence string

// credentials are all that were used, so that the evidence can be searched for them.
var credentials struct {
	sync.Mutex
	all map[string]bool
}

// credential remembers that s must not be seen in logs and metrics, and returns it. Of a token the last
// part is enough: what is left without it is worth nothing.
func credential(s string) string {
	credentials.Lock()
	defer credentials.Unlock()
	if credentials.all == nil {
		credentials.all = map[string]bool{}
	}
	if len(s) < 8 { // those of some attacks would be found anywhere
		return s
	}
	credentials.all[s] = true
	if i := strings.LastIndexByte(s, '.'); i >= 0 && len(s)-i > 20 {
		credentials.all[s[i+1:]] = true
	}
	return s
}

// basic is the value of an Authorization header.
func basic(user, password string) string {
	return "Basic " + credential(base64.StdEncoding.EncodeToString([]byte(user+":"+credential(password))))
}

// bearer is the value of an Authorization header.
func bearer(token string) string { return "Bearer " + credential(token) }

// keepEvidence is called when an agentauth has ended, with its last metrics.
func keepEvidence(t tester, a *parts.Agentauth, metrics []byte) {
	log, err := os.ReadFile(a.Log)
	must(t, err)
	must(t, os.MkdirAll(evidence, 0o750))
	name := filepath.Join(evidence, fmt.Sprintf("%s-%d", strings.ReplaceAll(t.Name(), "/", "_"), a.Pid()))
	must(t, os.WriteFile(name+".log", log, 0o600))
	must(t, os.WriteFile(name+".metrics", metrics, 0o600))
}

var (
	anyToken = regexp.MustCompile(`eyJ[-_A-Za-z0-9]+\.[-_A-Za-z0-9]+\.`)
	dataRace = []byte("WARNING: DATA RACE")
)

// searchEvidence fails the suite (1) if agentauth told a credential, or raced.
func searchEvidence() int {
	files, err := filepath.Glob(filepath.Join(evidence, "*"))
	if err != nil || len(files) == 0 || len(credentials.all) == 0 {
		fmt.Fprintf(os.Stderr, "e2e: expected logs to search for credentials: %d files, %d credentials, %v\n", len(files), len(credentials.all), err)
		return 1
	}
	code := 0
	complain := func(file, format string, args ...any) {
		code = 1
		fmt.Fprintf(os.Stderr, "FAIL: %s: %s\n", file, fmt.Sprintf(format, args...))
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			complain(file, "%v", err)
		}
		for secret := range credentials.all {
			if bytes.Contains(content, []byte(secret)) {
				complain(file, "holds the credential %q", secret)
			}
		}
		if token := anyToken.Find(content); token != nil {
			complain(file, "holds a token: %q", token)
		}
		if bytes.Contains(content, dataRace) {
			complain(file, "has a data race")
		}
	}
	fmt.Printf("searched %d logs and metrics of agentauth for %d credentials\n", len(files), len(credentials.all))
	return code
}
