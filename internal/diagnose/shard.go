package diagnose

import (
	"slices"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// own leaves to other shards the incidents of the cluster's objects and load balancers that
// hit no hostname of ours, but for those that fall to us by their name: every shard sees
// them, because what is no part of a host is not divided.
func own(shard inventory.Shard, fs []finding.Finding, incidents []finding.Incident) ([]finding.Finding, []finding.Incident) {
	if !shard.Partial() {
		return fs, incidents
	}
	left := map[finding.ID]bool{}
	incidents = slices.DeleteFunc(incidents, func(in finding.Incident) bool {
		if len(in.Hosts) > 0 || shard.Speaks(in.Subject.Namespace, in.Subject.Name) {
			return false
		}
		for _, f := range in.Effects {
			left[f.ID()] = true
		}
		return true
	})
	fs = slices.DeleteFunc(fs, func(f finding.Finding) bool { return left[f.ID()] })
	return fs, incidents
}
