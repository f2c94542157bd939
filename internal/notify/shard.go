package notify

import (
	"slices"

	"driftprobe/internal/inventory"
)

// handedOver is what of a stored state is still ours to tell. The number of shards may have
// changed since: what is in another one now is neither resolved nor unwatched, so nothing
// is said of it here, and the process that has it tells it anew if it goes on. Nor is it
// ended at an Alertmanager: it is not repeated, and expires after the other has spoken.
func handedOver(shard inventory.Shard, s State) State {
	var kept []Tracked
	for _, t := range s.Incidents {
		t.Message.Shard = shard.String()
		own := func(all []string) []string {
			return slices.DeleteFunc(slices.Clone(all), func(host string) bool { return !shard.Holds(host) })
		}
		hosts := union(t.Touched, t.Message.Incident.Hosts)
		rest := own(hosts)
		switch {
		case len(rest) == len(hosts) && len(hosts) > 0:
		case len(rest) > 0:
			t.Touched, t.Message.Incident.Hosts = rest, own(t.Message.Incident.Hosts)
			if len(t.Message.Incident.Hosts) == 0 {
				t.Message.Incident.Hosts = rest[:min(len(rest), maxHosts)]
			}
			t.Message.HostCount = min(t.Message.HostCount, len(rest))
			t.ToldHosts = min(t.ToldHosts, len(rest))
		case len(hosts) > 0 || !shard.Speaks(t.Message.Incident.Subject.Namespace, t.Message.Incident.Subject.Name):
			continue
		}
		kept = append(kept, t)
	}
	s.Incidents = kept
	return s
}
