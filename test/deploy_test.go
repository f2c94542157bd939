package test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// manifest is the part of deploy/manifests/driftprobe.yaml that can be checked here.
type manifest struct {
	Kind  string
	Data  map[string]string
	Rules []struct {
		Resources, Verbs []string
		Groups           []string `yaml:"apiGroups"`
		ResourceNames    []string `yaml:"resourceNames"`
	}
	Spec struct {
		Template struct {
			Spec struct {
				Containers []struct {
					Args []string
					Env  []struct{ Name, Value string }
				}
			}
		}
	}
}

func TestTheManifest(t *testing.T) {
	t.Parallel()
	byKind := manifests(t)

	t.Run("its configuration is one that driftprobe accepts", func(t *testing.T) {
		t.Parallel()
		text := byKind["ConfigMap"].Data["driftprobe.yaml"]
		file := filepath.Join(t.TempDir(), "driftprobe.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if l := execute(t, "--config", file, "--check-config", "--syntax-only"); l.code != clean || text == "" {
			t.Errorf("exit code %d\n%s", l.code, l.stderr)
		}
	})

	t.Run("its flags are flags of driftprobe", func(t *testing.T) {
		t.Parallel()
		containers := byKind["Deployment"].Spec.Template.Spec.Containers
		if len(containers) != 1 || len(containers[0].Args) == 0 {
			t.Fatalf("containers %+v, want one with arguments", containers)
		}
		if l := execute(t, append(slices.Clone(containers[0].Args), "--version")...); l.code != clean {
			t.Errorf("exit code %d\n%s", l.code, l.stderr)
		}
	})

	t.Run("it may write its state, its lease and Events, and nothing else", func(t *testing.T) {
		t.Parallel()
		rules := byKind["ClusterRole"].Rules
		if len(rules) == 0 {
			t.Fatal("no rules")
		}
		for _, r := range byKind["Role"].Rules {
			what := fmt.Sprint(r.Resources, r.ResourceNames, r.Verbs)
			if !slices.Contains([]string{
				"[configmaps] [] [create]", "[configmaps] [driftprobe-state] [get update]", "[configmaps] [driftprobe-state-corrupt] [update]",
				"[leases] [] [create]", "[leases] [driftprobe] [get update]",
			}, what) {
				t.Errorf("the Role allows %s", what)
			}
		}
		for _, r := range rules {
			if slices.Equal(r.Resources, []string{"events"}) && slices.Equal(r.Verbs, []string{"create", "get", "update"}) {
				continue
			}
			if slices.Equal(r.Resources, []string{"configmaps"}) && slices.Equal(r.Verbs, []string{"get"}) {
				continue
			}
			if !slices.Equal(r.Verbs, []string{"list", "watch"}) {
				t.Errorf("verbs %q on %q", r.Verbs, r.Resources)
			}
			for _, resource := range r.Resources {
				if !slices.Contains([]string{
					"services", "endpointslices", "ingresses", "ingressclasses",
					"gatewayclasses", "gateways", "listenersets", "httproutes", "grpcroutes", "tlsroutes", "ingressroutes", "ingressroutetcps",
					"deployments", "statefulsets", "daemonsets", "horizontalpodautoscalers", "pods", "certificaterequests", "orders",
				}, resource) {
					t.Errorf("it asks for %s, which driftprobe does not read", resource)
				}
			}
		}
	})
}

// TestTheRightsAreDocumented compares the tables of docs/kubernetes.md with the manifest.
func TestTheRightsAreDocumented(t *testing.T) {
	t.Parallel()
	var granted, told []string
	byKind := manifests(t)
	for _, r := range append(byKind["ClusterRole"].Rules, byKind["Role"].Rules...) {
		for _, resource := range r.Resources {
			of := append([]string{cmp.Or(r.Groups[0], "(core)"), resource}, r.ResourceNames...)
			granted = append(granted, strings.Join(of, " ")+": "+strings.Join(r.Verbs, ", "))
		}
	}
	rows := regexp.MustCompile("(?m)^\\| (\\(core\\)|`[-a-z0-9.]+`) \\| ([^|]*) \\| ([a-z, ]+) \\|")
	words := regexp.MustCompile("`([^`]+)`")
	for _, row := range rows.FindAllStringSubmatch(read(t, "../docs/kubernetes.md"), -1) {
		group, verbs := strings.Trim(row[1], "`"), ": "+row[3]
		var resources []string
		for _, m := range words.FindAllStringSubmatch(row[2], -1) {
			resources = append(resources, m[1])
		}
		if strings.Contains(row[2], " named ") {
			told = append(told, group+" "+strings.Join(resources, " ")+verbs)
			continue
		}
		for _, resource := range resources {
			told = append(told, group+" "+resource+verbs)
		}
	}
	slices.Sort(granted)
	slices.Sort(told)
	if !slices.Equal(granted, told) {
		t.Errorf("the manifest grants\n%s\nand docs/kubernetes.md tells of\n%s", strings.Join(granted, "\n"), strings.Join(told, "\n"))
	}
}

// manifests reads the documents of deploy/manifests/driftprobe.yaml, one of each kind.
func manifests(t *testing.T) map[string]manifest {
	t.Helper()
	text, err := os.ReadFile("../deploy/manifests/driftprobe.yaml")
	if err != nil {
		t.Fatal(err)
	}
	byKind := map[string]manifest{}
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var m manifest
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			return byKind
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := byKind[m.Kind]; twice {
			t.Fatalf("two documents of kind %s", m.Kind)
		}
		byKind[m.Kind] = m
	}
}
