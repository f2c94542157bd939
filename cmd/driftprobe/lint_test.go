package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"strings"
	"testing"
)

// lints runs lint over files of testdata/lint, and returns what it says.
func lints(t *testing.T, stdin string, args ...string) (int, string, string) {
	t.Helper()
	var out, complaints bytes.Buffer
	p := process{env: func(string) string { return "" }, stdin: strings.NewReader(stdin), stdout: &out, stderr: &complaints}
	code := run(t.Context(), p, append([]string{"lint"}, args...))
	return code, out.String(), complaints.String()
}

// The manifests are what Traefik's chart renders: with its defaults, with ACME and without
// persistence, with both, and with the values of the outage that driftprobe comes from.
func TestLint(t *testing.T) {
	const folder = "testdata/lint/"
	for _, c := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"the chart's defaults order no certificates", []string{folder + "defaults.yaml"}, exitClean, []string{"checked 3 objects"}},
		{"with persistence", []string{folder + "persistence.yaml"}, exitClean, nil},
		{"without persistence", []string{folder + "no-persistence.yaml"}, exitFound, []string{
			"WARNING  Traefik in Deployment traefik/traefik loses its certificates at a restart",
			folder + "no-persistence.yaml:10", "emptyDir", "persistence.enabled=true",
		}},
		{"the post-mortem's values", []string{folder + "post-mortem.yaml"}, exitFound, []string{
			"on a configMap volume", "take away the mount traefik-config", "it hides the volume data",
		}},
		{"only what is critical", []string{"--fail-on", "critical", folder + "post-mortem.yaml"}, exitClean, []string{"WARNING"}},
		{"nothing moves", []string{"--against", folder + "no-persistence.yaml", folder + "persistence.yaml"}, exitClean, nil},
		{"the Service is renamed", []string{"--against", folder + "persistence.yaml", folder + "renamed.yaml"}, exitFound, []string{
			"CRITICAL  this gives up the load balancer of traefik/traefik", "traefik/traefik-edge, which selects the same pods", folder + "renamed.yaml:51",
		}},
		{"the Service has no balancer any more", []string{"--against", folder + "persistence.yaml", folder + "node-port.yaml"}, exitFound, []string{"its type becomes NodePort"}},
		{"a whole folder", []string{folder}, exitFound, []string{"no-persistence.yaml", "post-mortem.yaml"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, complaints := lints(t, "", c.args...)
			if code != c.code || complaints != "" {
				t.Errorf("exit %d, want %d: %s", code, c.code, complaints)
			}
			for _, want := range c.says {
				if !strings.Contains(strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(want), " ")) {
					t.Errorf("it does not say %q:\n%s", want, out)
				}
			}
		})
	}
}

func TestLintReadsStandardInput(t *testing.T) {
	text, err := os.ReadFile("testdata/lint/post-mortem.yaml")
	if err != nil {
		t.Fatal(err)
	}
	code, out, _ := lints(t, string(text), "-")
	if code != exitFound || !strings.Contains(out, "standard input:10") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}

func TestLintFormats(t *testing.T) {
	for format, valid := range map[string]func([]byte) bool{
		"json": json.Valid, "sarif": json.Valid,
		"junit": func(b []byte) bool { return xml.Unmarshal(b, new(struct{ XMLName xml.Name })) == nil },
	} {
		code, out, _ := lints(t, "", "-o", format, "testdata/lint/post-mortem.yaml")
		if code != exitFound || !valid([]byte(out)) || !strings.Contains(out, "issuance/ephemeral-storage") {
			t.Errorf("%s: exit %d:\n%s", format, code, out)
		}
	}
}

func TestLintBadInput(t *testing.T) {
	for _, c := range []struct {
		name, stdin string
		args        []string
		says        string
	}{
		{"nothing", "", nil, "lint has nothing to read"},
		{"no such file", "", []string{"testdata/lint/missing.yaml"}, "missing.yaml"},
		{"no such place", "", []string{"--against", "testdata/missing", "testdata/lint/persistence.yaml"}, "testdata/missing"},
		{"a template that was not rendered", "kind: Pod\nmetadata: {{ .Values.x }}\n", []string{"-"}, "standard input:"},
		{"no object", "hello: world\n", []string{"-"}, "standard input:1: not a Kubernetes object"},
		{"nothing from a command that failed", "# nothing\n---\n", []string{"-"}, "there is no Kubernetes object in standard input"},
		{"nothing deployed", "", []string{"--against", t.TempDir(), "testdata/lint/persistence.yaml"}, "there is no Kubernetes object in /"},
		{"unknown flag", "", []string{"--agianst", "x", "-"}, "agianst"},
		{"unknown format", "", []string{"-o", "yaml", "-"}, `"yaml"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, complaints := lints(t, c.stdin, c.args...)
			if code != exitUsage || out != "" || !strings.Contains(complaints, c.says) || !strings.Contains(complaints, "hint:") {
				t.Errorf("exit %d, %q, %q", code, out, complaints)
			}
		})
	}
}

func TestLintHelp(t *testing.T) {
	if code, out, _ := lints(t, "", "--help"); code != exitClean || !strings.Contains(out, "--against deployed/ rendered/") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// In JUnit what was judged and is well is a test that passes, so that a clean run is no empty one.
func TestLintJUnit(t *testing.T) {
	for file, want := range map[string]struct {
		code          int
		tests, faults string
		well          []string
	}{
		"persistence.yaml": {exitClean, `tests="3"`, `failures="0"`, []string{`classname="driftprobe.lint" name="Deployment traefik/traefik"`}},
		"post-mortem.yaml": {exitFound, `tests="3"`, `failures="1"`, []string{`classname="driftprobe.lint" name="Service traefik/traefik"`}},
	} {
		code, out, complaints := lints(t, "", "-o", "junit", "testdata/lint/"+file)
		if code != want.code || complaints != "" {
			t.Errorf("%s: exit %d: %s", file, code, complaints)
		}
		for _, text := range append(want.well, want.tests, want.faults) {
			if !strings.Contains(out, text) {
				t.Errorf("%s: no %s:\n%s", file, text, out)
			}
		}
	}
}
