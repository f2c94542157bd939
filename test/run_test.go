package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"driftprobe/test/world"
)

// The exit codes that the README promises.
const (
	clean      = 0
	found      = 1
	unknowable = 3
)

// report is the part of -o json that these tests read. It is written out here
// once more, and not imported, so that a renamed key is noticed.
type report struct {
	At        time.Time
	Findings  []finding
	Incidents []incident
	Coverage  struct {
		Hosts   int
		Servers int `json:"authoritative_servers"`
	}
}

type finding struct {
	Code, Severity              string
	Subject                     struct{ Host, Address, Server, Namespace, Name, Source string }
	Summary, Expected, Observed string
	Hint                        string
	SeenAt                      []string `json:"seen_at"`
	Record                      *record
	ClearBy                     time.Time `json:"clear_by"`
}

type incident struct {
	ID, Code, Severity, State, Cause string
	Hosts                            []string
	Evidence                         []struct{ Label, Text string }
	Fix                              []struct {
		Text, Command string
		Record        *record
	}
	ClearBy time.Time `json:"clear_by"`
	Effects []finding
}

type record struct {
	Zone, Owner, Type string
	Values            []string
	TTL               uint32
}

// look is one run of driftprobe --once -o json.
type look struct {
	report
	code           int
	stdout, stderr string
	began, ended   time.Time
}

// once runs driftprobe --once with more arguments and expects an exit code.
func once(t *testing.T, want int, args ...string) look {
	t.Helper()
	l := execute(t, append([]string{"--once", "-o", "json"}, args...)...)
	if l.code != want {
		t.Fatalf("exit code %d, want %d\nstderr: %s\n%s", l.code, want, l.stderr, l.stdout)
	}
	l.report = l.parse(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("it reported:\n%s%s", indent(l.report), l.stderr)
		}
	})
	return l
}

// parse reads what -o json printed.
func (l look) parse(t *testing.T) report {
	t.Helper()
	var d document
	if err := json.Unmarshal([]byte(l.stdout), &d); err != nil {
		t.Fatalf("-o json printed something else: %v\n%s\n%s", err, l.stdout, l.stderr)
	}
	return d.Report
}

// execute runs driftprobe and returns how it ended.
func execute(t *testing.T, args ...string) look {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	// No colour, no cluster and no cloud account of whoever runs the tests.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	l := look{began: time.Now()}
	err := cmd.Run()
	l.ended = time.Now()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run driftprobe %q: %v", args, err)
	}
	l.code, l.stdout, l.stderr = cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
	return l
}

// configuration writes a configuration for the world and returns its path.
// targets and more are YAML: a target is one flow mapping.
func configuration(t *testing.T, w *world.World, more string, targets ...string) string {
	t.Helper()
	return writeConfig(t, fmt.Sprintf(`interval: 30s
timeout: 5s
dns:
  root_servers: [%s]
  resolvers: [%s]
  timeout: 4s
tls: {ca_file: %q}
probe: {allow_addresses: [127.0.0.0/8]}
kubernetes: {enabled: false}
%s
targets:
  - %s
`, w.Root, w.Resolver.Addr, w.CA.RootFile, more, strings.Join(targets, "\n  - ")))
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "driftprobe.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// all returns the findings with a code, those that stand in incidents included.
func (r report) all(code string) []finding {
	var matching []finding
	seen := map[string]bool{}
	add := func(fs []finding) {
		for _, f := range fs {
			id := fmt.Sprint(f.Code, f.Subject)
			if f.Code == code && !seen[id] {
				seen[id] = true
				matching = append(matching, f)
			}
		}
	}
	add(r.Findings)
	for _, i := range r.Incidents {
		add(i.Effects)
	}
	return matching
}

// none fails the test when there is a finding with one of the codes.
func (r report) none(t *testing.T, codes ...string) {
	t.Helper()
	for _, code := range codes {
		for _, f := range r.all(code) {
			t.Errorf("%s was reported: %s", code, f.Summary)
		}
	}
}

// one returns the only finding with the code about the host.
func (r report) one(t *testing.T, code, host string) finding {
	t.Helper()
	var matching []finding
	for _, f := range r.all(code) {
		if f.Subject.Host == host {
			matching = append(matching, f)
		}
	}
	if len(matching) != 1 {
		t.Fatalf("%d findings %s about %s, want one\n%s", len(matching), code, host, indent(r))
	}
	return matching[0]
}

// text is all that the finding says of what was expected and found.
func (f finding) text() string {
	return strings.Join(append([]string{f.Summary, f.Expected, f.Observed, f.Subject.Server}, f.SeenAt...), "\n")
}

// text is all that the incident says before its effects.
func (i incident) text() string {
	var b strings.Builder
	b.WriteString(i.Cause + "\n")
	for _, e := range i.Evidence {
		b.WriteString(e.Label + " " + e.Text + "\n")
	}
	for _, s := range i.Fix {
		b.WriteString(s.Text + " " + s.Command + "\n")
	}
	return b.String()
}

// wantText fails the test for each part that the text does not contain.
func wantText(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s does not say %q:\n%s", what, part, text)
		}
	}
}

func indent(v any) string {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text) + "\n"
}
