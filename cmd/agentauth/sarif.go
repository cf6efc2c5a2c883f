package main

import (
	"cmp"
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"
	"slices"

	"github.com/agentauth-dev/agentauth/authz"
)

// SARIF 2.1.0, as far as it is needed for problems of files.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID string `json:"id"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
	}
)

func printSARIF(w io.Writer, problems []authz.Problem) error {
	rules, results := []sarifRule{}, []sarifResult{}
	for _, p := range problems {
		id := ruleOf(p)
		at := slices.Index(rules, sarifRule{id})
		if at < 0 {
			at, rules = len(rules), append(rules, sarifRule{id})
		}
		nowhere := p
		nowhere.Position, nowhere.Severity = authz.Position{}, authz.Invalid
		r := sarifResult{RuleID: id, RuleIndex: at, Level: p.Severity.Level(), Message: sarifText{problemLine(nowhere)}}
		if p.File != "" {
			r.Locations = []sarifLocation{locationOf(p)}
		}
		results = append(results, r)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0",
		Runs: []sarifRun{{Results: results, Tool: sarifTool{sarifDriver{
			Name: "agentauth", Version: versionString(), InformationURI: "https://github.com/agentauth-dev/agentauth", Rules: rules,
		}}}},
	})
}

// ruleOf is the word of a problem: of its lint, its condition or its severity.
func ruleOf(p authz.Problem) string {
	return cmp.Or(string(p.Lint), p.Reason, string(p.Severity), string(authz.Invalid))
}

func locationOf(p authz.Problem) sarifLocation {
	uri := url.URL{Path: filepath.ToSlash(filepath.Clean(p.File))}
	if filepath.IsAbs(p.File) {
		uri.Scheme = "file"
	}
	l := sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifact{uri.String()}}}
	if p.Line > 0 {
		l.Physical.Region = &sarifRegion{p.Line, p.Column}
	}
	if p.Object != "" {
		l.Logical = []sarifLogical{{p.Object}}
	}
	return l
}
