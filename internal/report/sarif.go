package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"driftprobe/finding"
)

// The parts of SARIF 2.1.0 that are used.
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
type (
	sarifLog struct {
		Version string     `json:"version"`
		Schema  string     `json:"$schema"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifInvocation struct {
		Successful bool   `json:"executionSuccessful"`
		End        string `json:"endTimeUtc"`
	}
	sarifRule struct {
		ID    string    `json:"id"`
		Short sarifText `json:"shortDescription"`
		Full  sarifText `json:"fullDescription"`
		Help  sarifText `json:"help"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		Rule         string            `json:"ruleId"`
		Level        string            `json:"level"`
		Kind         string            `json:"kind,omitempty"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region *sarifRegion `json:"region,omitempty"`
	}
	sarifRegion struct {
		Line int `json:"startLine"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
		Kind string `json:"kind"`
	}
)

// SARIF writes the report's findings as SARIF 2.1.0, with the catalogue as its rules. A
// finding that was not seen in a file is placed at the configuration, or whatever file
// stands for it: viewers show only what has a place.
func SARIF(w io.Writer, r finding.Report, version, file string) error {
	run := sarifRun{
		Tool:        sarifTool{Driver: sarifDriver{Name: "driftprobe", Version: version}},
		Invocations: []sarifInvocation{{Successful: !slices.ContainsFunc(r.Findings, unknown), End: r.At.UTC().Format("2006-01-02T15:04:05.000Z")}},
		Results:     []sarifResult{},
	}
	for _, e := range finding.Catalogue() {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			ID: string(e.Code), Short: sarifText{e.Title}, Full: sarifText{e.Why}, Help: sarifText{e.Fix},
		})
	}
	for _, f := range r.Findings {
		run.Results = append(run.Results, sarifOf(f, file))
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	err := enc.Encode(sarifLog{"2.1.0", "https://json.schemastore.org/sarif-2.1.0.json", []sarifRun{run}})
	if err != nil {
		return fmt.Errorf("write the report as SARIF: %w", err)
	}
	return nil
}

func sarifOf(f finding.Finding, file string) sarifResult {
	s := sarifResult{Rule: string(f.Code), Fingerprints: map[string]string{"finding/v1": fingerprint(f)}}
	switch f.Severity {
	case finding.Critical:
		s.Level = "error"
	case finding.Warning:
		s.Level = "warning"
	case finding.Unknown:
		// Only a result of this kind may say that nobody could look, and its level is none.
		s.Level, s.Kind = "none", "open"
	default:
		s.Level = "note"
	}
	text := []string{f.Summary}
	for _, part := range [][2]string{{"expected", f.Expected}, {"found", f.Observed}, {"seen at", strings.Join(f.SeenAt, ", ")}, {"fix", strings.Join(f.Hints(), "; ")}} {
		if part[1] != "" {
			text = append(text, part[0]+": "+part[1])
		}
	}
	for n := range text {
		text[n] = printed(text[n])
	}
	s.Message.Text = strings.Join(text, "\n")
	var l sarifLocation
	l.Physical.Artifact.URI = file
	if f.Line > 0 && len(f.SeenAt) > 0 {
		l.Physical.Artifact.URI, l.Physical.Region = f.SeenAt[0], &sarifRegion{f.Line}
	}
	if name := concerned(f.Subject); name != "" {
		l.Logical = []sarifLogical{{printed(name), "resource"}}
	}
	s.Locations = []sarifLocation{l}
	return s
}

func unknown(f finding.Finding) bool { return f.Severity == finding.Unknown }

// fingerprint is the finding's identity: the same as long as the trouble is.
func fingerprint(f finding.Finding) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s\n%#v", f.Code, f.Subject))
	return hex.EncodeToString(h[:16])
}

// concerned names what a finding is about in one word.
func concerned(s finding.Subject) string {
	parts := []string{s.Namespace, s.Name, s.Host, s.Address, s.Server, s.Source, s.Certificate}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), "/")
}
