package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// object is a piece of Envoy's configuration; Envoy reads JSON.
type object = map[string]any

// page is what docs/envoy.md tells the reader to configure.
type page struct {
	Filters  []object `json:"http_filters"`
	Clusters []object `json:"clusters"`
}

// documented reads the filter and the cluster from docs/envoy.md, so that what is measured is what is documented.
func documented() (filter, cluster object, err error) {
	root, err := parts.Root()
	if err != nil {
		return nil, nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "envoy.md"))
	if err != nil {
		return nil, nil, err
	}
	var p page
	for i, block := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if err := yaml.Unmarshal([]byte(block), &p); err != nil {
			return nil, nil, fmt.Errorf("docs/envoy.md, YAML block %d: %w", i+1, err)
		}
		if len(p.Filters) > 0 && len(p.Clusters) > 0 {
			return p.Filters[0], p.Clusters[0], nil
		}
	}
	return nil, nil, errors.New("docs/envoy.md: expected a block with http_filters and one with clusters")
}

// clone copies an object, so that a variant's change is its own.
func clone(o object) object {
	data, err := json.Marshal(o)
	if err != nil {
		panic(err) // it was read from YAML
	}
	var c object
	if err := json.Unmarshal(data, &c); err != nil {
		panic(err)
	}
	return c
}

// at walks to an object inside another and makes what is missing.
func at(o object, path ...string) object {
	for _, name := range path {
		inner, ok := o[name].(object)
		if !ok {
			inner = object{}
			o[name] = inner
		}
		o = inner
	}
	return o
}
