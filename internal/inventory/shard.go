package inventory

import (
	"fmt"
	"hash/fnv"
)

// MaxShards bounds Shard.Count.
const MaxShards = 64

// Shard is one part of all hosts, which one of Count processes looks at. The zero value is
// all of them.
type Shard struct {
	// Index is from 0 to Count-1.
	Index int `json:"index"`
	Count int `json:"count"`
}

// Valid tells whether there can be such a shard.
func (s Shard) Valid() bool {
	return s == Shard{} || s.Count >= 1 && s.Count <= MaxShards && s.Index >= 0 && s.Index < s.Count
}

// Partial tells whether there are other shards.
func (s Shard) Partial() bool { return s.Count > 1 }

// String is "0/3" as in the configuration; empty if it is all there is.
func (s Shard) String() string {
	if !s.Partial() {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.Index, s.Count)
}

// Holds tells whether a name belongs to this shard, as each does to exactly one. It is the
// one that gives the name the highest weight (rendezvous hashing), and not the remainder of
// a division: with one shard more only the names move that the new one gets, and all others
// keep the process that remembers them.
func (s Shard) Holds(name string) bool {
	if !s.Partial() {
		return true
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(name))
	hash := sum.Sum64()
	own := weight(hash, s.Index)
	for i := range s.Count {
		if w := weight(hash, i); w > own || w == own && i < s.Index {
			return false
		}
	}
	return true
}

// Speaks tells whether this shard is the one to tell of an object of the cluster, or of a
// load balancer (without a namespace), that concerns none of its hosts: all shards see it,
// and one is enough. What has no name is each one's own.
func (s Shard) Speaks(namespace, name string) bool {
	return namespace == "" && name == "" || s.Holds(namespace+"/"+name)
}

// weight mixes a hash with the number of a shard: the finalizer of SplitMix64 (Steele, Lea,
// Flood: Fast Splittable Pseudorandom Number Generators, 2014), as FNV-1a alone does not
// spread what differs in its last byte only.
func weight(hash uint64, shard int) uint64 {
	z := hash + uint64(shard+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Of are the targets whose hosts are in the shard, in the same order. All URLs of one host
// are in one shard.
func (s Shard) Of(targets []Target) []Target {
	if !s.Partial() {
		return targets
	}
	own := make([]Target, 0, len(targets)/s.Count+1)
	for i := range targets {
		if s.Holds(targets[i].Host) {
			own = append(own, targets[i])
		}
	}
	return own
}
