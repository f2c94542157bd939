package notify

import (
	"maps"
	"path"
	"slices"
	"time"

	"driftprobe/finding"
)

// Host is what is known of a hostname beside its name.
type Host struct {
	Labels map[string]string
	// Namespaces are those of the cluster objects that declare it.
	Namespaces []string
}

// Route says what one sink is told. What is empty asks nothing; of each other field one
// hostname of the incident must fit, or its Service.
type Route struct {
	// Sink is its name.
	Sink        string
	MinSeverity finding.Severity
	Namespaces  []string
	// Hosts are patterns: * stands for any characters.
	Hosts []string
	// Labels must all be those of one hostname.
	Labels map[string]string
	// Storm is the largest number of messages of one kind that one report may lead to;
	// more become one. 0 is no limit.
	Storm int
}

// Silence keeps incidents from being told until a moment. What is empty asks nothing.
type Silence struct {
	// Hosts are patterns; all hostnames of an incident must fit one.
	Hosts []string
	// Incident is an ID; Code is a pattern of codes, such as dns/*.
	Incident, Code string
	Until          time.Time
}

func (s Silence) covers(i finding.Incident) bool {
	return (s.Incident == "" || s.Incident == i.ID) && (s.Code == "" || fits([]string{s.Code}, string(i.Code))) &&
		(len(s.Hosts) == 0 || len(i.Hosts) > 0 && !slices.ContainsFunc(i.Hosts, func(h string) bool { return !fits(s.Hosts, h) }))
}

// fits tells whether a name matches one of the patterns. A pattern that is none matches
// nothing: the configuration has refused it.
func fits(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}

// wants tells whether the sink is told of an incident that hit these hosts.
func (r Route) wants(i finding.Incident, hosts []string, watched map[string]Host) bool {
	if i.Code == finding.SelfOffline {
		return true
	}
	in := func(namespace string) bool { return slices.Contains(r.Namespaces, namespace) }
	return i.Severity >= r.MinSeverity &&
		(len(r.Namespaces) == 0 || in(i.Subject.Namespace) ||
			slices.ContainsFunc(hosts, func(h string) bool { return slices.ContainsFunc(watched[h].Namespaces, in) })) &&
		(len(r.Hosts) == 0 || slices.ContainsFunc(hosts, func(h string) bool { return fits(r.Hosts, h) })) &&
		(len(r.Labels) == 0 || slices.ContainsFunc(hosts, func(h string) bool { return r.labelled(watched[h].Labels) }))
}

func (r Route) labelled(labels map[string]string) bool {
	for name, value := range r.Labels {
		if labels[name] != value {
			return false
		}
	}
	return true
}

// newcomers are sinks that want an incident and have not been told of it.
func (l look) newcomers(t Tracked) []string {
	var names []string
	for _, r := range l.policy.Routes {
		if !slices.Contains(t.To, r.Sink) && r.wants(t.Message.Incident, t.Touched, l.policy.Watched) {
			names = append(names, r.Sink)
		}
	}
	return names
}

// recipients are those to tell. The end is told to those that know the beginning, and
// whoever was told once is told all that follows.
func (l look) recipients(t Tracked, k Kind) []string {
	if l.policy.Routes == nil || k == Resolved || k == Unwatched {
		return t.To
	}
	return append(append([]string{}, t.To...), l.newcomers(t)...)
}

// anyWatched tells whether one of the hosts is watched, as far as is known.
func (l look) anyWatched(hosts []string) bool {
	return l.policy.Watched == nil || len(hosts) == 0 || len(l.watched(hosts)) > 0
}

// watched are those of the hosts that are watched; all, if that is not known.
func (l look) watched(hosts []string) []string {
	if l.policy.Watched == nil {
		return hosts
	}
	return slices.DeleteFunc(slices.Clone(hosts), func(h string) bool {
		_, here := l.policy.Watched[h]
		return !here
	})
}

// labels are those on which all hosts agree.
func (l look) labels(hosts []string) map[string]string {
	var common map[string]string
	for n, h := range hosts {
		labels := l.policy.Watched[h].Labels
		if n == 0 {
			common = maps.Clone(labels)
			continue
		}
		for name, value := range common {
			if labels[name] != value {
				delete(common, name)
			}
		}
	}
	if len(common) == 0 {
		return nil
	}
	return common
}
