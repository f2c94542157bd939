package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"
)

// The first line of --once is the verdict, unless somebody asks for the log.
func TestOnceIsQuiet(t *testing.T) {
	for args, loud := range map[string]bool{"--once": false, "--once --log.level=warn": true, "": true} {
		var o options
		if _, err := o.parse(o.flags(), strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		log, err := o.logger(&strings.Builder{})
		if err != nil {
			t.Fatal(err)
		}
		if got := log.Enabled(context.Background(), slog.LevelWarn); got != loud {
			t.Errorf("%q: warnings are logged: %v", args, got)
		}
	}
}
