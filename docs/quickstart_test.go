package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const quickstart = root + "/config/quickstart/"

// compose is all that the quickstart's compose.yaml uses of the Compose Specification.
type compose struct {
	Name     string              `json:"name"`
	Services map[string]service  `json:"services"`
	Networks map[string]struct{} `json:"networks"`
}

type service struct {
	Image       string            `json:"image"`
	Build       map[string]string `json:"build"`
	Command     []string          `json:"command"`
	Ports       []string          `json:"ports"`
	Volumes     []volume          `json:"volumes"`
	Networks    []string          `json:"networks"`
	DependsOn   []string          `json:"depends_on"`
	ReadOnly    bool              `json:"read_only"`
	CapDrop     []string          `json:"cap_drop"`
	SecurityOpt []string          `json:"security_opt"`
	Restart     string            `json:"restart"`
}

type volume struct {
	Type     string `json:"type"`
	Source   string `json:"source"`
	Target   string `json:"target"`
	ReadOnly bool   `json:"read_only"`
}

func theCompose(t *testing.T) compose {
	t.Helper()
	var c compose
	if err := yaml.UnmarshalStrict([]byte(read(t, quickstart+"compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// onlyIn are the services of a network.
func (c compose) onlyIn(network string) []string {
	var out []string
	for name, s := range c.Services {
		if slices.Contains(s.Networks, network) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func TestTheComposeFileHoldsTogether(t *testing.T) {
	c := theCompose(t)
	for name, s := range c.Services {
		if (s.Image == "") == (s.Build == nil) {
			t.Errorf("%s: expected an image or a build", name)
		}
		if host, _, found := strings.Cut(s.Image, "/"); found && strings.ContainsAny(host, ".:") {
			t.Errorf("%s: %s names a registry", name, s.Image)
		}
		for _, other := range s.DependsOn {
			if _, ok := c.Services[other]; !ok {
				t.Errorf("%s depends on %s, which is not there", name, other)
			}
		}
		for _, network := range s.Networks {
			if _, ok := c.Networks[network]; !ok {
				t.Errorf("%s is in the network %s, which is not there", name, network)
			}
		}
		for _, v := range s.Volumes {
			if _, err := os.Stat(filepath.Join(quickstart, v.Source)); err != nil || v.Type != "bind" || !v.ReadOnly || !filepath.IsAbs(v.Target) {
				t.Errorf("%s: expected a bind of what is there, read only, got %+v: %v", name, v, err)
			}
		}
	}
	if got := c.onlyIn("door"); !slices.Equal(got, []string{"agentauth", "envoy"}) {
		t.Errorf("expected nobody but Envoy at the door, got %q", got)
	}
	if got := c.onlyIn("api"); !slices.Equal(got, []string{"envoy", "upstream"}) {
		t.Errorf("expected nobody but Envoy beside the API, got %q", got)
	}
	if got := c.Services["envoy"].Ports; !slices.Equal(got, []string{"127.0.0.1:10000:10000"}) || len(c.Services["agentauth"].Ports)+len(c.Services["upstream"].Ports) > 0 {
		t.Errorf("expected Envoy's port alone, on loopback, got %q", got)
	}
}

func TestTheComposeFileFitsEnvoysAndTheDockerfile(t *testing.T) {
	c := theCompose(t)
	envoy := read(t, quickstart+"envoy.yaml")
	version := regexp.MustCompile(`(?m)^ENVOY_VERSION := (.+)$`).FindStringSubmatch(read(t, root+"/Makefile"))[1]
	if got := c.Services["envoy"].Image; got != "envoyproxy/envoy:v"+version {
		t.Errorf("expected the Envoy that tests run, %s, got %s", version, got)
	}
	if s := c.Services["envoy"]; s.Volumes[0].Target != s.Command[1] || s.Command[0] != "-c" {
		t.Errorf("Envoy reads %q, and %s is mounted", s.Command, s.Volumes[0].Target)
	}
	for _, want := range []string{
		"address: 0.0.0.0, port_value: 10000", "address: agentauth, port_value: 9001",
		"address: upstream, port_value: " + c.Services["upstream"].Command[1],
	} {
		if strings.Count(envoy, want) != 1 {
			t.Errorf("envoy.yaml: expected %q once", want)
		}
	}
	s := c.Services["agentauth"]
	for _, want := range []string{"--policies=" + s.Volumes[0].Target, "--grpc-address=0.0.0.0:9001", "--trust-network"} {
		if !slices.Contains(s.Command, want) {
			t.Errorf("expected %s among %q", want, s.Command)
		}
	}
	if file := read(t, filepath.Join(quickstart, s.Build["context"], "Dockerfile")); !strings.Contains(file, `ENTRYPOINT ["/agentauth"]`) {
		t.Error("expected a Dockerfile whose entry point is agentauth, for serve is the first word of the command")
	}
	if out, code := run(t, "agentauth "+strings.Join(s.Command, " ")+" --help"); code != 0 {
		t.Errorf("agentauth %q: %s", s.Command, out)
	}
}

// What a container is told to do is held to the commands and flags that there are.
func TestCommandsInTheContainerExist(t *testing.T) {
	known := commands(t)
	n := 0
	page := document{"quickstart.md", read(t, "quickstart.md")}
	for _, b := range page.blocks("sh") {
		for _, words := range invocations(b.text) {
			if i := slices.Index(words, "agentauth"); words[0] == "docker" && i > 0 && slices.Contains(words, "run") {
				n++
				checkCommand(t, b.where, words[i:], known)
			}
		}
	}
	if n < 4 {
		t.Errorf("expected at least 4 commands, found %d", n)
	}
}

func TestThePolicyOfTheQuickstartIsValid(t *testing.T) {
	if out, code := run(t, "agentauth validate config/quickstart/policies"); code != 0 {
		t.Error(fmt.Sprint("expected a valid policy, got ", out))
	}
}
