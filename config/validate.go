package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"driftprobe/internal/inventory"
)

// settle checks what decoding by type alone cannot, and fills in what depends
// on several keys. It says nothing about a value that is reported already.
func (d *decoder) settle(c *Config) {
	c.Kubernetes.Configured = d.has("kubernetes")
	c.DigitalOcean.Configured = d.has("digitalocean")
	c.Alerts.Slack.Configured = d.has("alerts.slack")

	d.cadence("", &c.Interval, &c.Timeout)
	d.cadence("dns", &c.DNS.Interval, &c.DNS.Timeout)
	if !d.has("alerts.pending.critical") {
		c.Alerts.Pending.Critical = secondLook(c.Interval, c.Timeout)
	}
	d.targets(c.Targets)
	d.within(c)
	d.maintenance("maintenance", c.Maintenance)
	d.dns(&c.DNS)
	d.unique("probe.allow_addresses", len(c.Probe.AllowAddresses), func(i int) string { return c.Probe.AllowAddresses[i].String() })
	d.kubernetes(c.Kubernetes)
	d.state(c)
	d.shard(c.Shard)
	d.alerts(&c.Alerts)
	d.certificates(c.Certificates)
	c.Certificates.CT.CertSpotter.Configured = d.has("certificates.ct.certspotter")
	d.transparency(c.Certificates.CT)
	d.checkFiles(c)
	if c.DigitalOcean.APIURL != "" {
		d.check("digitalocean.api_url", parseEndpoint(c.DigitalOcean.APIURL))
	}
}

// has says whether the key at path is in the file.
func (d *decoder) has(path string) bool {
	_, ok := d.keys[path]
	return ok
}

// check reports f for the value at path, if there is one and the value has no
// problem yet.
func (d *decoder) check(path string, f *fault) {
	if f == nil || d.failed[path] {
		return
	}
	place, ok := d.values[path]
	if !ok {
		place = position{1, 1}
	}
	d.report(place, path, f)
}

// checkKey is check, at the key instead of its value.
func (d *decoder) checkKey(path string, f *fault) {
	if f != nil && !d.failed[path] {
		d.report(d.keys[path], path, f)
	}
}

// between checks a duration that the file gives.
func (d *decoder) between(path string, value, low, high time.Duration) {
	if d.has(path) && (value < low || value > high) {
		d.check(path, faultf(fmt.Sprintf("choose from %s to %s", brief(low), brief(high)),
			"expected a duration from %s to %s, found %s", brief(low), brief(high), brief(value)))
	}
}

// brief is 5m for what Duration prints as 5m0s.
func brief(t time.Duration) string {
	text := t.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// cadence checks an interval and the timeout of what is done in it. Only a
// timeout that the file gives can be too long; the default one is shortened.
func (d *decoder) cadence(section string, interval, timeout *time.Duration) {
	const day = 24 * time.Hour
	intervalPath, timeoutPath := join(section, "interval"), join(section, "timeout")
	d.between(intervalPath, *interval, time.Second, day)
	d.between(timeoutPath, *timeout, time.Millisecond, day)
	if *timeout <= *interval || d.failed[intervalPath] {
		return
	}
	if !d.has(timeoutPath) {
		*timeout = *interval
		return
	}
	d.check(timeoutPath, faultf(fmt.Sprintf("lower it to %s, or raise %s", brief(*interval), intervalPath),
		"a timeout of %s is longer than the interval of %s", brief(*timeout), brief(*interval)))
}

// unique refuses an entry of a list that says what an earlier one says.
func (d *decoder) unique(path string, n int, text func(int) string) {
	first := make(map[string]int, n)
	for i := range n {
		at := entryPath(path, i)
		if d.failed[at] {
			continue
		}
		if j, twice := first[text(i)]; twice {
			d.check(at, faultf("keep one of the two", "%s is in the list already, as entry [%d]", shown(text(i)), j))
			continue
		}
		first[text(i)] = i
	}
}

// filePath checks what a path can be known to be without looking at the disk. The
// text of what may be a secret is not repeated.
func (d *decoder) filePath(path, value string) {
	switch {
	case value == "":
	case strings.HasPrefix(value, "~"):
		d.check(path, faultf("write the whole path", "~ is not expanded to a home folder here"))
	case strings.Contains(value, "://"):
		hint := "write the URL into a file and name the file here"
		if strings.HasSuffix(path, "webhook_url_file") {
			hint += ", or use webhook_url"
		}
		d.check(path, faultf(hint, "expected the path of a file, found a URL"))
	case looksSecret(value):
		d.check(path, faultf("write the secret into a file and name the file here",
			"expected the path of a file, found what looks like the secret itself"))
	}
}

// looksSecret knows the shapes of tokens that are easily put in place of the
// path of their file.
func looksSecret(text string) bool {
	lower := strings.ToLower(text)
	return slices.ContainsFunc([]string{"dop_v1_", "doo_v1_", "bearer ", "basic ", "xoxb-", "xoxp-"}, func(prefix string) bool {
		return strings.HasPrefix(lower, prefix)
	})
}

func (d *decoder) kubernetes(k Kubernetes) {
	for i, namespace := range k.Namespaces {
		if !kubernetesLabel(namespace) {
			d.check(entryPath("kubernetes.namespaces", i), faultf(
				"write the name of a namespace: lower-case letters, digits and -, at most 63",
				"not a namespace: %s", shown(namespace)))
		}
	}
	d.unique("kubernetes.namespaces", len(k.Namespaces), func(i int) string { return k.Namespaces[i] })
}

// state wants one place for it, and one that all processes share if they take turns.
func (d *decoder) state(c *Config) {
	d.objectName("state.configmap", c.State.ConfigMap)
	d.objectName("kubernetes.lease", c.Kubernetes.Lease)
	if c.State.File != "" && c.State.ConfigMap != "" {
		d.checkKey("state.configmap", faultf("keep one of the two", "state.file and state.configmap are both given"))
	}
	if c.Kubernetes.Lease != "" && c.State.ConfigMap == "" {
		d.check("kubernetes.lease", faultf("add state: {configmap: NAMESPACE/NAME}",
			"processes that take turns must share their state, or each tells what another has told"))
	}
}

// shard wants one of the shards that there are. What --shard says is checked where it is read.
func (d *decoder) shard(s Shard) {
	switch {
	case s.Count < 1 || s.Count > inventory.MaxShards:
		d.check("shard.count", faultf(fmt.Sprintf("choose from 1 to %d: as many processes as share the hosts", inventory.MaxShards),
			"expected a number from 1 to %d, found %d", inventory.MaxShards, s.Count))
	case s.Index >= s.Count && !d.failed["shard.count"]:
		hint := fmt.Sprintf("choose from 0 to %d, or raise shard.count", s.Count-1)
		if s.Count == 1 {
			hint = "write shard.count too: how many processes share the hosts"
		}
		d.check("shard.index", faultf(hint, "there is no shard %d of %d: the first is 0", s.Index, s.Count))
	}
}

// objectName wants "namespace/name" of an object that need not be there yet.
func (d *decoder) objectName(path, value string) {
	const most = 200 // of the API's 253: a copy has a longer name
	namespace, name, _ := strings.Cut(value, "/")
	fits := kubernetesLabel(namespace) && len(name) <= most && !slices.ContainsFunc(strings.Split(name, "."), func(part string) bool {
		return !kubernetesLabel(part)
	})
	if value != "" && !fits {
		d.check(path, faultf("write namespace/name, such as driftprobe/driftprobe-state: lower-case letters, digits, - and .", "not the name of an object: %s", shown(value)))
	}
}

// letsEncrypt is the organisation whose limits are known.
const letsEncrypt = "Let's Encrypt"

func (d *decoder) certificates(c Certificates) {
	d.unique("certificates.authorities", len(c.Authorities), func(i int) string { return c.Authorities[i] })
	if _, given := c.Limits[letsEncrypt]; given {
		d.checkKey(join("certificates.limits", letsEncrypt), faultf("remove it", "the limits of Let's Encrypt are known"))
	}
}
