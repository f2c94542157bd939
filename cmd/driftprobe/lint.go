package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
	"driftprobe/internal/manifest"
	"driftprobe/lbcheck"
)

const lintUsage = `Usage: driftprobe lint [flags] FILE | FOLDER | - …

lint reads rendered Kubernetes manifests before they are deployed and says what will
break: an ACME client that loses its certificates at each restart, and, with --against,
a Service that would get another load balancer and so another address.

  helm template traefik traefik/traefik -f values.yaml | driftprobe lint -
  driftprobe lint --against deployed/ rendered/
  driftprobe lint --against cluster --namespace traefik rendered/

With --against cluster the Services that run are compared (a folder of that name is
./cluster), and if one would move, its hostnames are looked at once, as by --once, with the
same configuration: they are counted, with the longest TTL on the way to them.

Exit codes: 0 clean, 1 found something, 2 usage, 3 the cluster could not be read.
`

// lintOptions are the command line of lint.
type lintOptions struct {
	options
	against, namespace string
	files              []string
}

func (o *lintOptions) flags() *flag.FlagSet {
	fs := newFlags("driftprobe lint")
	fs.StringVar(&o.against, "against", "", "`PLACE`: what is deployed now: a file, a folder, or cluster")
	fs.StringVar(&o.namespace, "namespace", "default", "`NAMESPACE`: that of objects that name none")
	o.reportFlags(fs)
	o.lookFlags(fs)
	return fs
}

func parseLint(args []string) (o lintOptions, err error) {
	if o.files, err = o.parse(o.flags(), args); err == nil && len(o.files) == 0 {
		err = faultf("name files, folders, or - for standard input", "lint has nothing to read")
	}
	return o, err
}

// lint judges manifests. It asks nobody, but for the cluster if it is to.
func lint(ctx context.Context, p process, args []string) (int, error) {
	o, err := parseLint(args)
	if err != nil {
		return exitUsage, err
	}
	objects, err := o.read(p, o.files)
	if err != nil {
		return exitUsage, err
	}
	found := lintStorage(objects)
	moving, err := o.moving(ctx, p, objects)
	if err != nil {
		return exitUsage, err
	}
	found = append(found, moving...)
	finding.Sort(found)
	r := lintReport(time.Now(), found, objects)
	return finding.ExitCode(r, o.severity), o.print(p, r)
}

// moving compares the objects with what is deployed now, if that is known.
func (o lintOptions) moving(ctx context.Context, p process, objects []manifest.Object) ([]finding.Finding, error) {
	switch o.against {
	case "":
		return nil, nil
	case "cluster":
		return o.againstCluster(ctx, p, objects)
	}
	before, err := o.read(p, []string{o.against})
	if err != nil {
		return nil, err
	}
	return lbcheck.JudgeChange(services(before), services(objects), riskOf(before)), nil
}

// read reads manifests, and gives those a namespace that have none. No object at all is a
// mistake: nothing breaks in what a failed command has printed into a pipe.
func (o lintOptions) read(p process, places []string) ([]manifest.Object, error) {
	all, err := readManifests(p, places)
	if err == nil && len(all) == 0 {
		in := strings.Join(places, ", ")
		if in == "-" {
			in = "standard input"
		}
		return nil, faultf("did the command before it fail? helm template and kustomize build print nothing then",
			"there is no Kubernetes object in %s", in)
	}
	for n := range all {
		all[n] = all[n].In(o.namespace)
	}
	return all, err
}

// readManifests reads all objects of files, folders and standard input, in order.
func readManifests(p process, places []string) ([]manifest.Object, error) {
	var all []manifest.Object
	for _, place := range places {
		if place == "-" {
			objects, err := manifest.Read("standard input", p.stdin)
			if err != nil {
				return nil, faultf("lint reads rendered manifests: helm template … | driftprobe lint -", "%v", err)
			}
			all = append(all, objects...)
			continue
		}
		files, err := manifestFiles(place)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, faultf("check the path", "there is no file or folder %q", place)
		}
		if err != nil {
			return nil, faultf("check the path", "lint: %v", err)
		}
		for _, file := range files {
			objects, err := readManifest(file)
			if err != nil {
				return nil, err
			}
			all = append(all, objects...)
		}
	}
	return all, nil
}

// manifestFiles are the files of a folder, or the one that was named, whatever its name.
func manifestFiles(place string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(place, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		ext := filepath.Ext(path)
		if path == place || ext == ".yaml" || ext == ".yml" || ext == ".json" {
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

func readManifest(file string) ([]manifest.Object, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, faultf("check the path", "lint: %v", err)
	}
	defer f.Close()
	objects, err := manifest.Read(file, f)
	if err != nil {
		return nil, faultf("lint reads rendered manifests: render templates first (helm template, kustomize build)", "%v", err)
	}
	return objects, nil
}

// lintStorage judges where the ACME clients among the objects keep their certificates.
func lintStorage(objects []manifest.Object) []finding.Finding {
	var all []finding.Finding
	balanced, scaled := services(objects), autoscalers(objects)
	for _, o := range objects {
		w, ok := manifest.Workload(o.Fields)
		if !ok {
			continue
		}
		w = w.Fronted(balanced)
		for _, s := range scaled {
			if s.Kind == w.Kind && s.Namespace == w.Namespace && s.Name == w.Name && !w.PerNode {
				w.Replicas = max(w.Replicas, s.Replicas)
			}
		}
		for n, c := range w.Containers {
			if at, ok := manifest.Configuration(w, c); ok {
				w.Containers[n].Config = manifest.Settings(c, configMapEntry(objects, w.Namespace, at))
			}
		}
		for _, f := range issuance.Storage([]inventory.Workload{w}) {
			f.Observed = strings.Join(f.SeenAt, ", ") + ": " + f.Observed
			f.SeenAt, f.Line = []string{o.File}, o.Line
			all = append(all, f)
		}
	}
	return all
}

func configMapEntry(objects []manifest.Object, namespace string, at manifest.ConfigMap) string {
	n := slices.IndexFunc(objects, func(o manifest.Object) bool {
		return o.Kind == "ConfigMap" && o.Namespace == namespace && o.Name == at.Name
	})
	if n < 0 {
		return ""
	}
	return at.Text(objects[n].Fields)
}

func autoscalers(objects []manifest.Object) []inventory.Workload {
	var all []inventory.Workload
	for _, o := range objects {
		if w, ok := manifest.Scaled(o.Fields); ok {
			all = append(all, w)
		}
	}
	return all
}

func services(objects []manifest.Object) []inventory.Balanced {
	var all []inventory.Balanced
	for _, o := range objects {
		if s, ok := manifest.Service(o); ok {
			all = append(all, s)
		}
	}
	return all
}

// riskOf says which hostnames lead to a Service, if manifests can: all of them, if there is
// one way in.
func riskOf(objects []manifest.Object) func(inventory.ServiceRef) inventory.Risk {
	var hosts []string
	for _, o := range objects {
		hosts = append(hosts, manifest.Hosts(o)...)
	}
	slices.Sort(hosts)
	ways := 0
	for _, s := range services(objects) {
		if s.Type == "LoadBalancer" {
			ways++
		}
	}
	return func(inventory.ServiceRef) inventory.Risk {
		if ways != 1 {
			return inventory.Risk{}
		}
		return inventory.Risk{Hosts: slices.Compact(hosts)}
	}
}

// lintReport makes an incident of each finding: in manifests every fault is its own cause.
func lintReport(now time.Time, found []finding.Finding, objects []manifest.Object) finding.Report {
	r := finding.Report{At: now, Findings: found}
	for _, f := range found {
		i := finding.Incident{
			ID: fmt.Sprintf("%s:%s/%s", f.Code, f.Subject.Namespace, f.Subject.Name), Code: f.Code, Severity: f.Severity,
			State: finding.Firing, Cause: f.Summary, Subject: f.Subject, Effects: []finding.Finding{f}, Fix: []finding.Step{{Text: f.Hint}},
			Evidence: []finding.Note{{Label: "why", Text: f.Observed}, {Label: "expected", Text: f.Expected}},
		}
		if len(f.SeenAt) > 0 {
			i.Evidence = append([]finding.Note{{Label: "where", Text: fmt.Sprintf("%s:%d", f.SeenAt[0], f.Line)}}, i.Evidence...)
		}
		r.Incidents = append(r.Incidents, i)
	}
	r.Coverage.Objects, r.Coverage.Sound = len(objects), sound(objects, found)
	return r
}

// sound names the objects in which nothing was found.
func sound(objects []manifest.Object, found []finding.Finding) []string {
	var all []string
	for _, o := range objects {
		here := func(f finding.Finding) bool {
			return f.Line == o.Line && slices.Contains(f.SeenAt, o.File) || f.Line == 0 && f.Subject.Namespace == o.Namespace && f.Subject.Name == o.Name
		}
		if !slices.ContainsFunc(found, here) {
			all = append(all, o.Kind+" "+strings.TrimPrefix(o.Namespace+"/"+o.Name, "/"))
		}
	}
	return all
}
