package config

import (
	"errors"
	"strings"
	"testing"
)

func TestProblemSaysOnlyThePlaceItKnows(t *testing.T) {
	for want, p := range map[string]Problem{
		`driftprobe.yaml:12:7: unknown key "adresses" in targets[1]`: {
			File: "driftprobe.yaml", Line: 12, Column: 7, Message: `unknown key "adresses" in targets[1]`,
		},
		"digitalocean.token_file: the file is empty": {File: "digitalocean.token_file", Message: "the file is empty"},
		"not a host name": {Message: "not a host name"},
	} {
		if got := p.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestProblemsAreFoundByErrorsAs(t *testing.T) {
	_, err := Parse("x.yaml", []byte("interval: 30\ntimeout: 1\n"))
	var first Problem
	if !errors.As(err, &first) || first.Path != "interval" || first.Line != 1 || first.Column != 11 {
		t.Errorf("got %+v", first)
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 2 {
		t.Errorf("two problems in %d lines: %q", len(lines), lines)
	}
}

func TestParseLeavesPathsAsTheyAre(t *testing.T) {
	c, err := Parse("folder/x.yaml", []byte("state: {file: a/b}\n"))
	if err != nil || c.State.File != "a/b" {
		t.Errorf("got %q, %v", c.State.File, err)
	}
}

func TestLoadKeepsAbsentPathsEmpty(t *testing.T) {
	c, err := Load("testdata/good/minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c.eachFile(func(f namedFile) string {
		t.Errorf("%s is %q, though the file does not give it", f.key, f.path)
		return f.path
	})
}

func TestEachSeverityIsAccepted(t *testing.T) {
	for _, severity := range []string{"critical", "warning", "unknown", "info"} {
		c, err := Parse("x.yaml", []byte("alerts: {min_severity: "+severity+"}"))
		if err != nil || c.Alerts.MinSeverity != severity {
			t.Errorf("%s: got %q, %v", severity, c.Alerts.MinSeverity, err)
		}
	}
}
