package dnscheck

import (
	"flag"
	"testing"
)

// TestMain lets more tests run side by side than there are processors: most of the
// time they wait for servers that are silent. The flag -parallel still counts.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	m.Run()
}
