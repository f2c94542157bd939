package config

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

func (d *decoder) alerts(a *Alerts) {
	const day = 24 * time.Hour
	d.between("alerts.pending.critical", a.Pending.Critical, 0, day)
	d.between("alerts.pending.warning", a.Pending.Warning, 0, day)
	d.between("alerts.resolve_after", a.ResolveAfter, 0, day)
	d.between("alerts.repeat", a.Repeat, 0, 7*day)
	d.between("alerts.heartbeat.every", a.Heartbeat.Every, time.Second, day)
	if utf8.RuneCountInString(a.ClusterName) > 100 {
		d.check("alerts.cluster_name", faultf("use a short name, such as prod-fra1", "longer than 100 characters"))
	}
	if a.ExternalURL != "" {
		d.check("alerts.external_url", linkable(a.ExternalURL))
	}
	d.severity("alerts.min_severity", a.MinSeverity)
	d.silences(a.Silences)
	d.slack()
	if !a.Slack.WebhookURL.IsZero() {
		d.check("alerts.slack.webhook_url", parseEndpoint(a.Slack.WebhookURL.Reveal()))
	}
	d.routing("alerts.slack", a.Slack.Routing)
	d.routing("alerts.events", a.Events.Routing)
	d.routing("alerts.stdout", a.Stdout.Routing)
	d.alertmanager(a.Alertmanager)
	d.webhooks(a.Webhooks)
	if d.has("alerts.heartbeat") && !d.has("alerts.heartbeat.url_file") {
		d.check("alerts.heartbeat", faultf("add url_file: PATH of a file with the URL", "a heartbeat needs the URL to ask"))
	}
}

// plainEndpoint is parseEndpoint for what is often inside a network of one's own, where
// http is usual.
func plainEndpoint(text string) *fault {
	f := parseEndpoint(text)
	if rest, plain := strings.CutPrefix(text, "http://"); plain && f != nil {
		return parseEndpoint("https://" + rest)
	}
	if f != nil && !strings.HasPrefix(text, "https://") {
		return faultf("write it like https://ops.example.com/", "expected an https:// or http:// URL")
	}
	return f
}

// linkable wants a URL that may stand in a message.
func linkable(text string) *fault {
	if f := plainEndpoint(text); f != nil {
		return f
	}
	if strings.ContainsAny(text, "<>|\"` ") {
		return faultf("write them as %XX", "characters that cannot stand in a link")
	}
	return nil
}

func (d *decoder) severity(path, text string) {
	severities := []string{"critical", "warning", "unknown", "info"}
	if slices.Contains(severities, text) {
		return
	}
	hint := "use one of: " + strings.Join(severities, ", ")
	if meant := Nearest(text, severities); meant != "" {
		hint = fmt.Sprintf("did you mean %q?", meant)
	}
	d.check(path, faultf(hint, "not a severity: %s", shown(text)))
}

// slack wants exactly one way to the webhook's URL.
func (d *decoder) slack() {
	const section = "alerts.slack"
	inFile, inline := d.has(section+".webhook_url_file"), d.has(section+".webhook_url")
	switch {
	case inFile && inline:
		d.checkKey(section+".webhook_url", faultf("keep webhook_url_file, and keep the URL out of this file",
			"webhook_url and webhook_url_file are both given"))
	case d.has(section) && !inFile && !inline:
		d.check(section, faultf("add webhook_url_file: PATH", "Slack needs the URL of its webhook"))
	}
}

// silences want something to be silent about, and an end.
func (d *decoder) silences(all []Silence) {
	if len(all) > maxWindows {
		d.check("alerts.silences", faultf("remove those that are over", "more than %d silences", maxWindows))
		return
	}
	for i := range all {
		at, s := entryPath("alerts.silences", i), &all[i]
		if d.failed[at] {
			continue
		}
		if !d.has(at+".hosts") && !d.has(at+".incident") && !d.has(at+".code") {
			d.check(at, faultf(`add hosts: ["*.shop.example"], incident: ID or code: dns/*`, "a silence of everything would hide the next outage"))
		}
		d.patterns(at+".hosts", s.Hosts)
		if d.has(at + ".code") {
			d.check(at+".code", codePattern(s.Code))
		}
		if !d.has(at + ".until") {
			d.check(at, faultf("add until: 2030-01-31T22:00:00Z", "a silence needs an end"))
			continue
		}
		until, err := time.Parse(time.RFC3339, s.Until)
		if err != nil {
			d.check(at+".until", faultf("write it like 2030-01-31T22:00:00Z", "not a moment: %s", shown(s.Until)))
		}
		s.Parsed = until.UTC()
	}
}

// patterns wants patterns of hostnames that can match one.
func (d *decoder) patterns(at string, all []string) {
	if d.has(at) && len(all) == 0 {
		d.check(at, faultf("list at least one pattern, or remove the key", "an empty list fits nothing"))
	}
	for i, text := range all {
		f := pattern(text)
		if f == nil && (text != strings.ToLower(text) || strings.ContainsAny(text, ":/") || strings.HasSuffix(text, ".")) {
			f = faultf("write it in lower case, without scheme, port or trailing dot, such as *.shop.example", "not a pattern of hostnames: %s", shownURL(text))
		}
		d.check(entryPath(at, i), f)
	}
	d.unique(at, len(all), func(i int) string { return all[i] })
}

func pattern(text string) *fault {
	if _, err := path.Match(text, ""); err != nil {
		return faultf("use * for any characters and ? for one", "not a pattern: %s", shown(text))
	}
	return nil
}

// routing checks which incidents a sink wants.
func (d *decoder) routing(at string, r Routing) {
	if d.has(at + ".min_severity") {
		d.severity(at+".min_severity", r.MinSeverity)
	}
	if d.has(at+".namespaces") && len(r.Namespaces) == 0 {
		d.check(at+".namespaces", faultf("list at least one, or remove the key", "an empty list fits nothing"))
	}
	for i, namespace := range r.Namespaces {
		if !kubernetesLabel(namespace) {
			d.check(entryPath(at+".namespaces", i), faultf(
				"write the name of a namespace: lower-case letters, digits and -, at most 63", "not a namespace: %s", shown(namespace)))
		}
	}
	d.unique(at+".namespaces", len(r.Namespaces), func(i int) string { return r.Namespaces[i] })
	d.patterns(at+".hosts", r.Hosts)
	d.labels(at+".labels", r.Labels)
}

// labels wants names that Prometheus takes, and none that an alert has of itself.
func (d *decoder) labels(at string, labels map[string]string) {
	name := regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,62}$`)
	own := []string{"alertname", "cluster", "code", "incident", "namespace", "service", "severity"}
	for _, label := range inFileOrder(d, at, labels) {
		key := join(at, label)
		switch {
		case !name.MatchString(label):
			d.checkKey(key, faultf("use letters, digits and _, such as team", "not the name of a label: %s", shown(label)))
		case slices.Contains(own, label):
			d.checkKey(key, faultf("choose another name, such as team", "each alert has a label %s already", label))
		case len(labels[label]) > 200:
			d.check(key, faultf("use a short value", "longer than 200 bytes"))
		}
	}
}

func (d *decoder) alertmanager(a Alertmanager) {
	const section = "alerts.alertmanager"
	if d.has(section) && len(a.URLs) == 0 {
		d.check(section, faultf("add urls: [http://alertmanager:9093]", "Alertmanager needs the URL of each of its instances"))
	}
	for i, text := range a.URLs {
		f := plainEndpoint(text)
		if f == nil && strings.Contains(text, "/api/v") {
			f = faultf("end it before /api", "the path of the API is added here")
		}
		d.check(entryPath(section+".urls", i), f)
	}
	d.unique(section+".urls", len(a.URLs), func(i int) string { return strings.TrimSuffix(a.URLs[i], "/") })
	d.authorization(section, &Target{BasicAuth: a.BasicAuth, BearerTokenFile: a.BearerTokenFile})
	d.routing(section, a.Routing)
}

func (d *decoder) webhooks(all []Webhook) {
	const section = "alerts.webhooks"
	for i, w := range all {
		at := entryPath(section, i)
		if d.failed[at] {
			continue
		}
		switch inFile, inline := d.has(at+".url_file"), d.has(at+".url"); {
		case inFile && inline:
			d.checkKey(at+".url", faultf("keep url_file, and keep the URL out of this file", "url and url_file are both given"))
		case !inFile && !inline:
			d.check(at, faultf("add url_file: PATH", "a webhook needs its URL"))
		case inline && !d.failed[at+".url"]:
			d.check(at+".url", plainEndpoint(w.URL.Reveal()))
		}
		switch {
		case !d.has(at + ".name"):
			d.check(at, faultf("add name: ops", "a webhook needs a name, which metrics and the log use"))
		case !kubernetesLabel(w.Name):
			d.check(at+".name", faultf("use lower-case letters, digits and -, such as ops", "not a name: %s", shown(w.Name)))
		}
		d.routing(at, w.Routing)
	}
	first := map[string]int{}
	for i, w := range all {
		if j, twice := first[w.Name]; twice && w.Name != "" {
			d.check(entryPath(section, i)+".name", faultf("choose another one", "entry [%d] has this name already", j))
		} else {
			first[w.Name] = i
		}
	}
}
