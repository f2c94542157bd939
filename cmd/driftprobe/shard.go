package main

import (
	"fmt"
	"strconv"
	"strings"

	"driftprobe/config"
	"driftprobe/internal/inventory"
)

// parseShard reads "0/3".
func parseShard(text string) (config.Shard, error) {
	before, after, _ := strings.Cut(text, "/")
	index, indexErr := strconv.Atoi(before)
	count, countErr := strconv.Atoi(after)
	if s := (inventory.Shard{Index: index, Count: count}); indexErr != nil || countErr != nil || count == 0 || !s.Valid() {
		return config.Shard{}, faultf(
			fmt.Sprintf("write INDEX/COUNT, such as 0/3: COUNT is 1 to %d, and INDEX is from 0 to COUNT-1", inventory.MaxShards),
			"--shard: %q is no shard", text)
	}
	return config.Shard{Index: config.Count(index), Count: config.Count(count)}, nil
}

// shardOf is the part of all hosts that the configuration asks for.
func shardOf(cfg config.Config) inventory.Shard {
	if cfg.Shard.Count <= 1 {
		return inventory.Shard{}
	}
	return inventory.Shard{Index: int(cfg.Shard.Index), Count: int(cfg.Shard.Count)}
}

// keptApart gives each shard but the first a memory and a Lease of its own, so that all of them
// can be given one configuration: what they share they would take from each other. The name
// does not say how many shards there are, so that with another number each goes on from its
// memory; and the first has the name from the time without shards.
func keptApart(cfg *config.Config) {
	if cfg.Shard.Index == 0 {
		return
	}
	for _, name := range []*string{&cfg.State.File, &cfg.State.ConfigMap, &cfg.Kubernetes.Lease} {
		if *name != "" {
			*name += fmt.Sprintf("-shard-%d", cfg.Shard.Index)
		}
	}
}
