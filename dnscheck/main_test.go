package dnscheck

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets more tests run side by side than there are processors: most of the
// time they wait for servers that are silent. The flag -parallel still counts.
// In processes of their own it is the server of benchmarks, or observes hostile names.
func TestMain(m *testing.M) {
	if os.Getenv(benchServerVariable) != "" {
		serveBenchmarks()
		return
	}
	if os.Getenv(ProberVariable) != "" {
		prober()
		return
	}
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	m.Run()
}
