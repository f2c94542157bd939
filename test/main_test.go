package test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMain lets more tests run side by side than there are processors: most of the
// time they wait for servers. The flag -parallel still counts.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(buildAndRun(m))
}

// binary is the program under test; set once, before the first test.
var binary string

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "driftprobe-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "driftprobe")
	build := exec.Command("go", "build", "-o", binary, "./cmd/driftprobe")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build driftprobe: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
