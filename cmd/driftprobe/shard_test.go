package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// said are the findings of a report, by identity, with what they say.
func said(r finding.Report) map[finding.ID]string {
	all := map[finding.ID]string{}
	for _, f := range r.Findings {
		all[f.ID()] = fmt.Sprintf("%s: %v", f.Severity, f.Record)
	}
	return all
}

// The outage as two shards with one configuration see it: each hostname is judged by
// exactly one of them, and together they say what one process says alone.
func TestTwoShardsSayWhatOneSaysAlone(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	alone, shared := s.whole(), s.configuration("shared.yaml", s.cluster(), s.cloud(), stateSection)
	shards := []string{"0/2", "1/2"}
	for _, shard := range shards {
		s.run("--once", "--config", shared, "--shard", shard).exits(exitClean).says("only the hostnames of shard " + shard + " were looked at")
	}
	s.replace()
	whole := s.run("--once", "-o", "json", "--config", alone).exits(exitFound).report()
	want := onlyIncident(t, whole)

	var hosts []string
	together := map[finding.ID]string{}
	for _, shard := range shards {
		r := s.run("--once", "-o", "json", "--config", shared, "--shard", shard).exits(exitFound).report()
		in := onlyIncident(t, r)
		if len(in.Hosts) == 0 || len(in.Hosts) == len(s.Hosts) || r.Coverage.Hosts != len(in.Hosts) {
			t.Errorf("shard %s: %d of %d hosts are hit, %d were looked at", shard, len(in.Hosts), len(s.Hosts), r.Coverage.Hosts)
		}
		hosts = append(hosts, in.Hosts...)
		maps.Copy(together, said(r))
		equal(t, "the incident of shard "+shard, in.ID, want.ID)
		equal(t, "its severity", in.Severity, want.Severity)
		equal(t, "its fix", fmt.Sprint(in.Fix[1].Record), fmt.Sprint(want.Fix[1].Record))
	}
	slices.Sort(hosts)
	equalList(t, "hosts of both shards", hosts, s.sortedHosts()...)
	if single := said(whole); !maps.Equal(together, single) {
		t.Errorf("both shards say\n%v\none alone says\n%v", together, single)
	}
	for _, file := range []string{"state.json", "state.json-shard-1"} {
		if _, err := os.Stat(filepath.Join(s.folder, file)); err != nil {
			t.Errorf("each shard has its own memory: %v", err)
		}
	}

	s.must(s.FixRecords(s.NewAddr))
	for _, shard := range shards {
		s.run("--once", "--config", shared, "--shard", shard).exits(exitClean).says("DRAINING", "all clear by")
	}
}

// What a shard tells names it, and the metrics do.
func TestAShardNamesItself(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	config := s.whole(hurried, "shard: {index: 1, count: 2}",
		"alerts: {cluster_name: prod, pending: {critical: 0s, warning: 0s}, slack: {webhook_url_file: slack-url}, stdout: {enabled: true}}")
	v := s.serve("--config", config)
	v.untilReady()
	metrics := v.get("/metrics")
	for _, line := range []string{`driftprobe_shards{shard="1"} 2`, `driftprobe_leader{shard="1"} 1`} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("no %s in the metrics", line)
		}
	}
	for _, host := range s.Hosts {
		own := inventory.Shard{Index: 1, Count: 2}.Holds(host)
		equal(t, host+" is in the metrics", strings.Contains(metrics, fmt.Sprintf("driftprobe_published_addresses{host=%q}", host)), own)
		if status, _, text := v.probeOf(s.url(host), ""); (status == http.StatusOK) != own || !own && !strings.Contains(text, "this is shard 1/2") {
			t.Errorf("/probe of %s, which is ours: %v: %d %s", host, own, status, text)
		}
	}
	s.replace()
	if text := fmt.Sprint(v.told(1)); !strings.Contains(text, "(prod, shard 1/2)") {
		t.Errorf("Slack was told:\n%s", text)
	}
	s.until("a line is written", func() bool { return strings.Contains(v.stdout.String(), `"shard":"1/2"`) })
	v.end()
}

func TestWhatIsNoShard(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, text := range []string{"", "1", "3/3", "-1/3", "0/0", "0/65", "a/b", "0/3/4", "0x1/3"} {
		o := d.run("--once", "--shard", text, "a.example").exits(exitUsage)
		if !strings.Contains(o.err, "--shard: ") || !strings.Contains(o.err, "write INDEX/COUNT, such as 0/3") {
			t.Errorf("--shard %q:\n%s", text, o.err)
		}
	}
	if _, err := parseShard("63/64"); err != nil {
		t.Error(err)
	}
}

// Shards with one configuration share no state and no Lease, the first has the plain names.
func TestShardsKeepApart(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	file := d.file("driftprobe.yaml", "{state: {configmap: a/state}, kubernetes: {lease: a/lease}}")
	for shard, want := range map[string]string{"0/3": "a/state a/lease", "2/3": "a/state-shard-2 a/lease-shard-2"} {
		o := options{config: file, shard: shard, set: map[string]bool{"shard": true}}
		cfg, _, err := o.load()
		d.must(err)
		equal(t, shard, cfg.State.ConfigMap+" "+cfg.Kubernetes.Lease, want)
	}
}

// A shard that has no hostname is ready, and does not call that well.
func TestAShardWithoutHostnames(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	host := s.Hosts[0]
	config := s.configuration("one.yaml", fmt.Sprintf("targets: [{url: %q, addresses: [%s]}]", s.url(host), s.OldAddr))
	for index := range 2 {
		shard := fmt.Sprintf("%d/2", index)
		own := inventory.Shard{Index: index, Count: 2}.Holds(host)
		once := s.run("--once", "--config", config, "--shard", shard)
		if own {
			once.exits(exitClean)
		} else {
			once.exits(exitUnknown).says("nothing was looked at", "only the hostnames of shard "+shard+" were looked at")
			v := s.serve("--config", config, "--shard", shard)
			v.untilReady()
			if page := v.get("/"); !strings.Contains(oneLine(page), "only the hostnames of shard "+shard) {
				t.Errorf("/ says:\n%s", page)
			}
			v.end()
		}
	}
}
