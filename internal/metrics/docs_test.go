package metrics

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"driftprobe/probe"
)

var updateDocs = flag.Bool("update-docs", false, "write docs/metrics.md")

// family is one metric as a scrape shows it.
type family struct {
	name, kind, help string
	labels           []string
}

// families are those of an exposition, by name.
func families(t *testing.T, text string) []family {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var list []family
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := family{name: name, kind: strings.ToLower(all[name].GetType().String()), help: all[name].GetHelp()}
		for _, m := range all[name].GetMetric() {
			for _, l := range m.GetLabel() {
				if !slices.Contains(f.labels, l.GetName()) {
					f.labels = append(f.labels, l.GetName())
				}
			}
		}
		list = append(list, f)
	}
	return list
}

// bounds say what a label holds, and of how many values.
func bounds() map[string]string {
	return map[string]string{
		"address":     fmt.Sprintf("an IP address; at most %d a target or Service", maxAddresses),
		"certificate": "the names of a certificate, sorted; those that watched hosts were last seen with",
		"code":        "a code of [findings.md](findings.md)",
		"commit":      "one", "goversion": "one",
		"host":     "a watched hostname",
		"incident": fmt.Sprintf("the `id` of an incident in JSON; at most %d", maxIncidents),
		"kind":     "of a look: dns, zone, probe, cloud",
		"shard":    "the number of the process's shard, from 0; absent or empty without shards",
		"phase":    "of a probe: resolve (only `/probe`), connect, tls, processing, transfer",
		"result":   "sent, failed",
		"server":   fmt.Sprintf("name and address of an authoritative server; at most %d a zone", maxServers),
		"service":  "namespace/name of a Service of type LoadBalancer",
		"severity": "info, unknown, warning, critical",
		"sink":     "a way to tell someone that is configured",
		"state":    "firing, draining",
		"target":   "the canonical URL of a watched target",
		"version":  "of driftprobe, or of TLS: TLS 1.0 to TLS 1.3",
		"zone":     "a zone that holds a watched hostname",
	}
}

// TestMetricsPageIsWhatIsScraped keeps docs/metrics.md in step with the code.
func TestMetricsPageIsWhatIsScraped(t *testing.T) {
	var page bytes.Buffer
	fmt.Fprint(&page, `# Metrics

Written by a test from what a scrape reads (internal/metrics). Every series is made anew at each scrape and vanishes
with its target. What cannot be known has no series: an absent value is never a good one. Times are absolute, in
seconds since 1970. The labels `+"`instance` and `job`"+` are the scraper's. Names that begin with `+"`probe_`"+` are those of the
Prometheus blackbox exporter, so that its rules and dashboards work; each series is about one address, not one name.
Beside these there are the usual `+"`go_*` and `process_*`"+`.

With several replicas each shows what it sees itself: aggregate with `+"`max`"+`. With shards each shows its own hostnames,
and a cause that hits hostnames of several is told by each: count the `+"`incident`"+`s of `+"`driftprobe_incident_hosts`"+`, and sum their
hostnames over `+"`shard`"+`. [rules.yaml](../deploy/chart/files/rules.yaml) and the dashboard do.

## /metrics
`)
	var b strings.Builder
	fmt.Fprintln(&b, "# HELP driftprobe_build_info Always 1; the labels say what is running.\n# TYPE driftprobe_build_info gauge\ndriftprobe_build_info{version=\"1\",commit=\"2\",goversion=\"3\"} 1")
	all := families(t, b.String()+exposition(t, full()))
	used := table(t, &page, all)

	body := probed("a.example", "192.0.2.7:443")
	matched := true
	body.HTTP = &probe.HTTP{Status: 200, Protocol: "HTTP/1.1", BodyMatched: &matched}
	fmt.Fprint(&page, "\n## /probe?target=URL\n\nOne target that is looked at because somebody asks. The scraper knows which: no series has a label for it.\nWhere a target has several addresses, what is told of one is told of the worst.\n")
	maps.Copy(used, table(t, &page, families(t, shown(t, visited(target("a.example"), body)))))

	fmt.Fprint(&page, "\n## Labels\n\nA value is valid UTF-8 and at most ", maxLabel, " bytes long, wherever it comes from. The number of series grows with\nwhat you watch, and not with what others answer.\n\n| label | its values |\n|---|---|\n")
	for _, label := range slices.Sorted(maps.Keys(used)) {
		if bounds()[label] == "" {
			t.Errorf("nothing says what bounds the label %s", label)
		}
		fmt.Fprintf(&page, "| `%s` | %s |\n", label, bounds()[label])
	}
	for label := range bounds() {
		if !used[label] {
			t.Errorf("no metric has the label %s", label)
		}
	}
	same(t, "../../docs/metrics.md", page.Bytes())
}

func same(t *testing.T, path string, want []byte) {
	t.Helper()
	if *updateDocs {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s is not what the code says: go test ./internal/metrics -run MetricsPage -update-docs", path)
	}
}

// table writes metrics, and returns their labels.
func table(t *testing.T, page *bytes.Buffer, all []family) map[string]bool {
	t.Helper()
	if len(all) < 10 {
		t.Fatalf("%d metrics", len(all))
	}
	used := map[string]bool{}
	fmt.Fprint(page, "\n| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, f := range all {
		var labels []string
		for _, l := range f.labels {
			used[l] = true
			labels = append(labels, "`"+l+"`")
		}
		if f.help == "" || !strings.HasSuffix(f.help, ".") {
			t.Errorf("%s: the help is no sentence: %q", f.name, f.help)
		}
		fmt.Fprintf(page, "| `%s` | %s | %s | %s |\n", f.name, f.kind, strings.Join(labels, ", "), f.help)
	}
	return used
}

// TestBuildInfoHasTheLabelsOfThePage: the page's line is written by hand, because the Go
// version differs.
func TestBuildInfoHasTheLabelsOfThePage(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(New("1", "2"))
	all, err := r.Gather()
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	var got []string
	for _, l := range all[0].GetMetric()[0].GetLabel() {
		got = append(got, l.GetName())
	}
	if strings.Join(got, " ") != "commit goversion version" || all[0].GetHelp() != "Always 1; the labels say what is running." {
		t.Errorf("%v %s", got, all[0].GetHelp())
	}
}
