package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/lab"
)

// ttl of the records: within the default dns.max_ttl, so that it is no finding.
const ttl = 120 * time.Second

// desk is where a test runs the program: a folder for files, and an environment.
type desk struct {
	t      *testing.T
	folder string
	env    map[string]string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	return &desk{t: t, folder: t.TempDir(), env: map[string]string{}}
}

// file writes a file and returns its path.
func (d *desk) file(name, text string) string {
	d.t.Helper()
	path := filepath.Join(d.folder, name)
	d.must(os.WriteFile(path, []byte(text), 0o600))
	return path
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// outcome is what one run left.
type outcome struct {
	t        *testing.T
	code     int
	out, err string
}

// run runs the whole program, as main does.
func (d *desk) run(args ...string) outcome {
	d.t.Helper()
	return d.runIn(d.t.Context(), args...)
}

func (d *desk) runIn(ctx context.Context, args ...string) outcome {
	d.t.Helper()
	var stdout, stderr syncBuffer
	o := outcome{t: d.t, code: run(ctx, d.process(&stdout, &stderr), args)}
	o.out, o.err = stdout.String(), stderr.String()
	d.t.Cleanup(func() {
		if d.t.Failed() || testing.Verbose() {
			d.t.Logf("driftprobe %s\n%s%s(exit code %d)", strings.Join(args, " "), shortened(o.out), o.err, o.code)
		}
	})
	return o
}

func (d *desk) process(stdout, stderr *syncBuffer) process {
	return process{
		env:   func(name string) string { return d.env[name] },
		stdin: strings.NewReader(""), stdout: stdout, stderr: stderr,
	}
}

// shortened leaves most of a long document out.
func shortened(out string) string {
	const limit = 2500
	if len(out) > limit {
		return out[:limit] + " …\n"
	}
	return out
}

// exits expects an exit code.
func (o outcome) exits(want int) outcome {
	o.t.Helper()
	if o.code != want {
		o.t.Fatalf("exit code %d, want %d\n%s%s", o.code, want, shortened(o.out), o.err)
	}
	return o
}

// says expects every text in the output, wherever its lines were broken.
func (o outcome) says(texts ...string) outcome {
	o.t.Helper()
	for _, text := range texts {
		if !strings.Contains(oneLine(o.out), oneLine(text)) {
			o.t.Errorf("the output does not say %q:\n%s", text, shortened(o.out))
		}
	}
	return o
}

// isSilentOn expects none of the texts, in whatever case.
func (o outcome) isSilentOn(texts ...string) outcome {
	o.t.Helper()
	for _, text := range texts {
		if strings.Contains(strings.ToLower(oneLine(o.out)), strings.ToLower(text)) {
			o.t.Errorf("the output says %q:\n%s", text, shortened(o.out))
		}
	}
	return o
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// report decodes the output of -o json.
func (o outcome) report() finding.Report {
	o.t.Helper()
	var doc struct{ Report finding.Report }
	if err := json.Unmarshal([]byte(o.out), &doc); err != nil {
		o.t.Fatalf("-o json printed something else: %v\n%s", err, o.out)
	}
	return doc.Report
}

// onlyIncident expects exactly one incident of at least unknown severity.
func onlyIncident(t *testing.T, r finding.Report) finding.Incident {
	t.Helper()
	bad := incidentsFrom(r, finding.Unknown)
	if len(bad) != 1 {
		t.Fatalf("%d incidents, want 1: %+v", len(bad), bad)
	}
	return bad[0]
}

func incidentsFrom(r finding.Report, least finding.Severity) []finding.Incident {
	var bad []finding.Incident
	for _, in := range r.Incidents {
		if in.Severity >= least {
			bad = append(bad, in)
		}
	}
	return bad
}

// coded are the report's findings of one code.
func coded(r finding.Report, code finding.Code) []finding.Finding {
	var fs []finding.Finding
	for _, f := range r.Findings {
		if f.Code == code {
			fs = append(fs, f)
		}
	}
	return fs
}

// codesFrom are the codes of the findings of at least a severity, each once.
func codesFrom(r finding.Report, least finding.Severity) []finding.Code {
	var codes []finding.Code
	for _, f := range r.Findings {
		if f.Severity >= least {
			codes = append(codes, f.Code)
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func equalList[T comparable](t *testing.T, what string, got []T, want ...T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// syncBuffer is written by the program while the test reads it.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// stage is a desk inside the world of the outage.
type stage struct {
	*desk
	*lab.World
}

func newStage(t *testing.T, ttl time.Duration) *stage {
	t.Helper()
	s := &stage{desk: newDesk(t)}
	world, err := lab.NewWorld(t.Context(), lab.WorldSpec{DNS: freeNet(t), LB: freeNet(t), TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	s.World = world
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Errorf("close the lab: %v", err)
		}
	})
	s.file("ca.pem", string(world.CAPEM()))
	s.file("kubeconfig", string(world.Kubeconfig()))
	s.file("do-token", world.DOToken())
	s.file("slack-url", world.SlackURL())
	return s
}

func freeNet(t *testing.T) lab.Net {
	t.Helper()
	n, err := lab.RandomNet()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// configuration writes a configuration for the world: how to look, and the
// sections given. A section "dns: …" stands for more keys of dns.
func (s *stage) configuration(name string, sections ...string) string {
	s.t.Helper()
	return s.file(name, looking(s.Root().Addr(), s.DNSPort(), s.ResolverAddr().String(), sections...))
}

// hurried is the pace of tests that run the loop, and in which a look that had too little
// time spoils nothing. All others have more: the machine may be busy.
const hurried = "interval: 1s\ntimeout: 1s"

func looking(root netip.Addr, port uint16, resolvers string, sections ...string) string {
	pace := "4s"
	if slices.Contains(sections, hurried) {
		pace = "1s"
	}
	text := fmt.Sprintf(`tls: {ca_file: ca.pem}
probe: {allow_addresses: [127.0.0.0/8, "::1/128"]}
dns:
  interval: %[3]s
  timeout: %[3]s
  root_servers: ["%[1]s"]
  port: %[2]d
`, root, port, pace)
	if resolvers == "" {
		text += "  resolvers: []\n"
	} else {
		text += fmt.Sprintf("  resolvers: [\"%s\"]\n", resolvers)
	}
	timing := "interval: 4s\ntimeout: 4s\n"
	for _, section := range sections {
		switch more, isDNS := strings.CutPrefix(section, "dns: "); {
		case isDNS:
			text += "  " + more + "\n"
		case strings.HasPrefix(section, "interval: "):
			timing = section + "\n"
		}
	}
	for _, section := range sections {
		if !strings.HasPrefix(section, "dns: ") && !strings.HasPrefix(section, "interval: ") {
			text += section + "\n"
		}
	}
	return timing + text
}

func (s *stage) cluster() string {
	return fmt.Sprintf("kubernetes: {kubeconfig: kubeconfig, https_port: %d}", s.HTTPSPort)
}

func (s *stage) cloud() string {
	return fmt.Sprintf("digitalocean: {token_file: do-token, api_url: %q}", s.DOURL())
}

const stateSection = "state: {file: state.json}"

// whole is the configuration of one who has told driftprobe everything.
func (s *stage) whole(more ...string) string {
	s.t.Helper()
	return s.configuration("driftprobe.yaml", append([]string{s.cluster(), s.cloud()}, more...)...)
}

// replace deletes Traefik and creates it again.
func (s *stage) replace() {
	s.t.Helper()
	s.must(s.DeleteTraefik(s.t.Context()))
	s.must(s.CreateTraefik(s.t.Context()))
}

// url is a target at the port of the load balancers.
func (s *stage) url(host string) string { return fmt.Sprintf("https://%s:%d/", host, s.HTTPSPort) }

func (s *stage) sortedHosts() []string { return slices.Sorted(slices.Values(s.Hosts)) }
